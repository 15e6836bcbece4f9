# What we use of nixpkgs' module system: options with types, definitions in several modules, conditions, priorities, submodules.
# A definition without an option, and a value that is not of its type, are errors that name option and file, as there.
lib:
let
  inherit (builtins)
    all
    attrNames
    concatMap
    concatStringsSep
    elem
    filter
    foldl'
    head
    isAttrs
    isFunction
    isList
    isString
    length
    listToAttrs
    mapAttrs
    tail
    ;

  dotted = concatStringsSep ".";
  kindOf = value: value._type or null;
  isPackage = value: (value.type or null) == "derivation";
  isSet = value: isAttrs value && !isPackage value && !(value ? outPath);

  # The definitions in a value: merges taken apart, priorities and conditions noted. Those are decided as late as may be, because they
  # depend on other options.
  definitions =
    file: value:
    if kindOf value == "if" then
      map (definition: definition // { condition = value.condition && definition.condition; }) (
        definitions file value.content
      )
    else if kindOf value == "merge" then
      concatMap (definitions file) value.contents
    else if kindOf value == "override" then
      map (definition: definition // { inherit (value) priority; }) (definitions file value.content)
    else
      [
        {
          inherit file value;
          priority = 100;
          condition = true;
        }
      ];

  # Those for an attribute, in definitions of the set around it.
  within =
    name: outer:
    concatMap (
      definition:
      if isSet definition.value && definition.value ? ${name} then
        map (
          inner:
          inner
          // {
            condition = definition.condition && inner.condition;
            priority = if inner.priority == 100 then definition.priority else inner.priority;
          }
        ) (definitions definition.file definition.value.${name})
      else
        [ ]
    ) outer;

  # What applies: the lower priority wins, as in nixpkgs.
  applying = filter (definition: definition.condition);
  strongest =
    found:
    let
      least = foldl' (
        least: definition: if definition.priority < least then definition.priority else least
      ) 10000 found;
    in
    filter (definition: definition.priority == least) found;

  show =
    value:
    if isPackage value then
      "a package"
    else if isFunction value then
      "a function"
    else
      builtins.toJSON value;
  wrong =
    path: type: definition:
    throw "A definition for option `${dotted path}' is not of type `${type.name}'. Definition value: ${show definition.value}, in ${definition.file}";

  # A type says what belongs to it, and what several definitions of it are together.
  scalar = name: check: {
    inherit name check;
    merge =
      path: found:
      let
        values = strongest found;
        first = head values;
        bad = filter (definition: !check definition.value) values;
      in
      if bad != [ ] then
        wrong path types.${name} or { inherit name; } (head bad)
      else if all (definition: definition.value == first.value) values then
        first.value
      else
        throw "The option `${dotted path}' has conflicting definitions, in ${
          concatStringsSep " and " (map (d: d.file) values)
        }";
  };
  # A type that is made of another one, or of options.
  of =
    inner: make: name: check: merge:
    make name check merge // { inherit inner; };
  collected = name: check: merge: { inherit name check merge; };
  checked =
    type: path: found:
    let
      bad = filter (definition: !type.check definition.value) (strongest found);
    in
    if bad == [ ] then strongest found else wrong path type (head bad);

  types = rec {
    str = scalar "str" isString;
    path = scalar "path" (
      value:
      builtins.isPath value
      || isString value && builtins.substring 0 1 value == "/"
      || isPackage value
      || isAttrs value && value ? outPath
    );
    externalPath = scalar "externalPath" (
      value:
      isString value && builtins.substring 0 1 value == "/" && !lib.hasPrefix builtins.storeDir value
    );
    attrs = anything // {
      name = "attrs";
    };
    nonEmptyListOf =
      type:
      let
        list = listOf type;
        nonEmpty = list // {
          name = "nonEmptyListOf ${type.name}";
          check = value: isList value && value != [ ];
          merge = path: found: builtins.seq (checked nonEmpty path found) (list.merge path found);
        };
      in
      nonEmpty;
    package = scalar "package" (value: isPackage value || isAttrs value && value ? outPath);
    int = scalar "int" builtins.isInt;
    bool = scalar "bool" builtins.isBool;
    port = scalar "port" (value: builtins.isInt value && value >= 0 && value <= 65535);
    raw = scalar "raw" (_: true);
    ints = {
      positive = scalar "ints.positive" (value: builtins.isInt value && value > 0);
      unsigned = scalar "ints.unsigned" (value: builtins.isInt value && value >= 0);
      between =
        low: high:
        scalar "ints.between ${toString low} ${toString high}" (
          value: builtins.isInt value && value >= low && value <= high
        );
    };
    strMatching =
      pattern:
      scalar "strMatching ${pattern}" (value: isString value && builtins.match pattern value != null);
    enum = values: scalar "enum ${builtins.toJSON values}" (value: elem value values);
    lines = collected "lines" isString (
      path: found: concatStringsSep "\n" (map (definition: definition.value) (checked lines path found))
    );
    anything = collected "anything" (_: true) (
      path: found:
      let
        values = strongest found;
        names = foldl' (all: definition: all // definition.value) { } values;
      in
      if all (definition: isSet definition.value) values then
        mapAttrs (name: _: anything.merge (path ++ [ name ]) (applying (within name values))) (
          filterDefined names values
        )
      else if all (definition: isList definition.value) values then
        concatMap (definition: definition.value) values
      else
        (scalar "anything" (_: true)).merge path found
    );
    listOf =
      type:
      of type collected "listOf ${type.name}" isList (
        path: found:
        concatMap (
          definition:
          concatMap (
            value:
            let
              inner = applying (definitions definition.file value);
            in
            if inner == [ ] then [ ] else [ (type.merge (path ++ [ "*" ]) inner) ]
          ) definition.value
        ) (checked (listOf type) path found)
      );
    attrsOf =
      type:
      of type collected "attrsOf ${type.name}" isSet (
        path: found:
        let
          values = checked (attrsOf type) path found;
          names = foldl' (all: definition: all // definition.value) { } values;
        in
        mapAttrs (name: _: type.merge (path ++ [ name ]) (applying (within name values))) (
          filterDefined names values
        )
      );
    nullOr =
      type:
      of type collected "nullOr ${type.name}" (value: value == null || type.check value) (
        path: found:
        if all (definition: definition.value == null) (strongest found) then
          null
        else
          type.merge path (strongest found)
      );
    either =
      one: other:
      collected "either ${one.name} ${other.name}" (value: one.check value || other.check value) (
        path: found:
        let
          values = checked (either one other) path found;
        in
        if all (definition: one.check definition.value) values then
          one.merge path values
        else
          other.merge path values
      );
    oneOf = list: if length list == 1 then head list else either (head list) (oneOf (tail list));
    submodule =
      module:
      of { options = (evaluate { modules = [ module ]; }).options; } collected "submodule"
        (value: isSet value || isFunction value)
        (
          path: found:
          (evaluate {
            inherit path;
            specialArgs.name = builtins.elemAt path (length path - 1);
            modules = [
              module
            ]
            ++ map (definition: {
              _file = definition.file;
              config = definition.value;
            }) (checked (submodule module) path found);
          }).config
        );
  };

  filterDefined =
    names: values:
    listToAttrs (
      concatMap (
        name:
        if applying (within name values) == [ ] then
          [ ]
        else
          [
            {
              inherit name;
              value = null;
            }
          ]
      ) (attrNames names)
    );

  # A module is a file, a function of what modules may ask for, or a set; what it imports comes behind it.
  load =
    argument: origin: module:
    let
      file = if builtins.isPath module || isString module then toString module else origin;
      content = if builtins.isPath module || isString module then import module else module;
      set =
        if isFunction content then
          content (mapAttrs (name: _: argument name) (builtins.functionArgs content))
        else
          content;
      named = set._file or file;
      bare = removeAttrs set [
        "_file"
        "imports"
        "key"
      ];
    in
    [
      {
        file = named;
        options = set.options or { };
        config = if set ? options || set ? config then set.config or { } else bare;
      }
    ]
    ++ concatMap (load argument named) (set.imports or [ ]);

  joined =
    one: other:
    one
    // mapAttrs (
      name: value: if one ? ${name} && kindOf value != "option" then joined one.${name} value else value
    ) other;

  valueOf =
    path: option: given:
    let
      found = applying given;
      value = option.type.merge path found;
    in
    if found != [ ] then
      (option.apply or (value: value)) value
    else if option ? default then
      (option.apply or (value: value)) option.default
    else
      throw "The option `${dotted path}' was accessed but has no value defined";

  # Options with what is defined of them, as nixpkgs' have it; `config` is their values.
  evaluated =
    path: options: found:
    if kindOf options == "option" then
      options
      // {
        isDefined = applying found != [ ];
        value = valueOf path options found;
      }
    else
      mapAttrs (name: inner: evaluated (path ++ [ name ]) inner (within name found)) options;
  configOf =
    options: if kindOf options == "option" then options.value else mapAttrs (_: configOf) options;

  # What the documents of NixOS have of an option, and of those within it.
  documented =
    options:
    if kindOf options == "option" then
      builtins.deepSeq [
        (options.description or null)
        (options.defaultText or null)
        (options.example or null)
      ] (named options.type)
    else
      all (name: documented options.${name}) (attrNames options);
  named =
    type:
    if type ? options then
      documented type.options
    else
      builtins.seq type.name (!(type ? inner) || named type.inner);

  # Whatever is defined has an option.
  complete =
    path: options: found:
    kindOf options == "option"
    ||
      all (name: complete (path ++ [ name ]) options.${name} (within name found)) (attrNames options)
      && all (
        definition:
        all (
          name:
          options ? ${name}
          || throw "The option `${dotted (path ++ [ name ])}' does not exist. It is defined in ${definition.file}"
        ) (attrNames definition.value)
      ) found;

  evaluate =
    {
      modules,
      specialArgs ? { },
      path ? [ ],
    }:
    let
      # What modules themselves add is looked for last: it depends on them.
      added = foldl' (all: definition: all // definition.value) { } (
        within "args" (within "_module" found)
      );
      given = {
        inherit lib config options;
      }
      // specialArgs;
      argument = name: given.${name} or added.${name};
      loaded = concatMap (load argument "a module without a file") modules;
      declared = foldl' joined { } (map (module: module.options) loaded);
      found = concatMap (module: definitions module.file module.config) loaded;
      options = evaluated path declared found;
      config = configOf options;
      ours = map (
        definition: definition // { value = removeAttrs definition.value [ "_module" ]; }
      ) found;
    in
    {
      inherit options;
      config = builtins.seq (documented declared && complete path declared ours) config;
    };

  typed = kind: fields: { _type = kind; } // fields;
  mkOverride = priority: content: typed "override" { inherit priority content; };
in
{
  inherit types;
  evalModules =
    {
      modules,
      specialArgs ? { },
    }:
    evaluate { inherit modules specialArgs; };
  mkOption = typed "option";
  mkEnableOption =
    name:
    typed "option" {
      type = types.bool;
      default = false;
      description = "Whether to enable ${name}.";
    };
  mkIf = condition: content: typed "if" { inherit condition content; };
  mkMerge = contents: typed "merge" { inherit contents; };
  inherit mkOverride;
  mkDefault = mkOverride 1000;
  mkForce = mkOverride 50;
  literalExpression = text: typed "literalExpression" { inherit text; };
  literalMD = text: typed "literalMD" { inherit text; };
}
