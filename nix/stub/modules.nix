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

  # The definitions in a value: conditions decided, merges taken apart, priorities noted. The lower one wins, as in nixpkgs.
  definitions =
    file: value:
    if kindOf value == "if" then
      (if value.condition then definitions file value.content else [ ])
    else if kindOf value == "merge" then
      concatMap (definitions file) value.contents
    else if kindOf value == "override" then
      map (definition: definition // { inherit (value) priority; }) (definitions file value.content)
    else
      [
        {
          inherit file value;
          priority = 100;
        }
      ];

  # Those for an attribute, in definitions of the set around it.
  within =
    name: outer:
    concatMap (
      definition:
      if isSet definition.value && definition.value ? ${name} then
        map (inner: if inner.priority == 100 then inner // { inherit (definition) priority; } else inner) (
          definitions definition.file definition.value.${name}
        )
      else
        [ ]
    ) outer;

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
        mapAttrs (name: _: anything.merge (path ++ [ name ]) (within name values)) (
          filterDefined names values
        )
      else if all (definition: isList definition.value) values then
        concatMap (definition: definition.value) values
      else
        (scalar "anything" (_: true)).merge path found
    );
    listOf =
      type:
      collected "listOf ${type.name}" isList (
        path: found:
        concatMap (
          definition:
          concatMap (
            value:
            let
              inner = definitions definition.file value;
            in
            if inner == [ ] then [ ] else [ (type.merge (path ++ [ "*" ]) inner) ]
          ) definition.value
        ) (checked (listOf type) path found)
      );
    attrsOf =
      type:
      collected "attrsOf ${type.name}" isSet (
        path: found:
        let
          values = checked (attrsOf type) path found;
          names = foldl' (all: definition: all // definition.value) { } values;
        in
        mapAttrs (name: _: type.merge (path ++ [ name ]) (within name values)) (filterDefined names values)
      );
    nullOr =
      type:
      collected "nullOr ${type.name}" (value: value == null || type.check value) (
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
      collected "submodule" (value: isSet value || isFunction value) (
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
        if within name values == [ ] then
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
    arguments: origin: module:
    let
      file = if builtins.isPath module || isString module then toString module else origin;
      content = if builtins.isPath module || isString module then import module else module;
      set =
        if isFunction content then
          content (mapAttrs (name: _: arguments.${name}) (builtins.functionArgs content))
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
    ++ concatMap (load arguments named) (set.imports or [ ]);

  joined =
    one: other:
    one
    // mapAttrs (
      name: value: if one ? ${name} && kindOf value != "option" then joined one.${name} value else value
    ) other;

  valueOf =
    path: option: found:
    let
      value = option.type.merge path found;
    in
    if found != [ ] then
      (option.apply or (value: value)) value
    else if option ? default then
      (option.apply or (value: value)) option.default
    else if option.type ? empty then
      option.type.empty path
    else
      throw "The option `${dotted path}' was accessed but has no value defined";

  configOf =
    path: options: found:
    if kindOf options == "option" then
      valueOf path options found
    else
      mapAttrs (name: inner: configOf (path ++ [ name ]) inner (within name found)) options;

  # Whatever is defined has an option.
  complete =
    path: options: found:
    kindOf options == "option"
    || all (
      definition:
      all (
        name:
        if !(options ? ${name}) then
          throw "The option `${dotted (path ++ [ name ])}' does not exist. It is defined in ${definition.file}"
        else
          complete (path ++ [ name ]) options.${name} (within name [ definition ])
      ) (attrNames definition.value)
    ) found;

  evaluate =
    {
      modules,
      specialArgs ? { },
      path ? [ ],
    }:
    let
      arguments =
        specialArgs
        // {
          inherit lib config options;
        }
        // foldl' (all: definition: all // definition.value) { } (within "args" (within "_module" found));
      loaded = concatMap (load arguments "a module without a file") modules;
      options = foldl' joined { } (map (module: module.options) loaded);
      found = concatMap (module: definitions module.file module.config) loaded;
      config = configOf path options found;
      ours = map (
        definition: definition // { value = removeAttrs definition.value [ "_module" ]; }
      ) found;
    in
    {
      inherit options;
      config = builtins.seq (complete path options ours) config;
    };

  typed = kind: fields: { _type = kind; } // fields;
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
  mkOverride = priority: content: typed "override" { inherit priority content; };
  mkDefault =
    content:
    typed "override" {
      priority = 1000;
      inherit content;
    };
  mkForce =
    content:
    typed "override" {
      priority = 50;
      inherit content;
    };
  literalExpression = text: typed "literalExpression" { inherit text; };
}
