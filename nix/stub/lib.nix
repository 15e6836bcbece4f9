# nixpkgs' lib: the real one, where NIXPKGS_LIB names its folder, else what we use of it, written anew.
let
  surface = import ./surface.nix;
  real = builtins.getEnv "NIXPKGS_LIB";
  whole = if real != "" then import (/. + real) else own;
  split = separator: text: builtins.filter builtins.isString (builtins.split separator text);
  value =
    name:
    builtins.foldl' (
      set: part:
      set.${part} or (throw "${
        if real != "" then real else "nix/stub/lib.nix"
      } has no lib.${name}, which nixpkgs-surface.md lists")
    ) whole (split "\\." name);

  inherit (builtins)
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
    readFile
    replaceStrings
    stringLength
    substring
    tail
    ;

  own = {
    inherit (builtins)
      attrNames
      attrValues
      concatLists
      concatMap
      concatStringsSep
      elem
      filter
      genList
      head
      length
      listToAttrs
      mapAttrs
      toJSON
      ;
    inherit (import ./modules.nix own)
      evalModules
      literalExpression
      literalMD
      mkDefault
      mkEnableOption
      mkForce
      mkIf
      mkMerge
      mkOverride
      mkOption
      types
      ;

    all = builtins.all;
    any = builtins.any;
    concatLines = own.concatMapStrings (line: line + "\n");
    concatMapAttrs = f: set: foldl' (all: name: all // f name set.${name}) { } (attrNames set);
    concatMapStrings = f: list: concatStringsSep "" (map f list);
    concatMapStringsSep =
      separator: f: list:
      concatStringsSep separator (map f list);
    escapeShellArg = value: "'${replaceStrings [ "'" ] [ "'\\''" ] (toString value)}'";
    escapeShellArgs = own.concatMapStringsSep " " own.escapeShellArg;
    filterAttrs = keep: set: removeAttrs set (filter (name: !keep name set.${name}) (attrNames set));
    genAttrs = names: f: listToAttrs (map (name: own.nameValuePair name (f name)) names);
    getExe = package: "${package}/bin/${package.meta.mainProgram or package.pname or package.name}";
    getExe' = package: name: "${package}/bin/${name}";
    getName = package: package.pname or package.name;
    hasInfix = part: text: length (split (literal part) text) > 1;
    hasPrefix = prefix: text: substring 0 (stringLength prefix) text == prefix;
    hasSuffix =
      suffix: text:
      substring (stringLength text - stringLength suffix) (stringLength suffix) text == suffix;
    imap1 = f: list: builtins.genList (n: f (n + 1) (builtins.elemAt list n)) (length list);
    importJSON = file: builtins.fromJSON (readFile file);
    importTOML = file: fromTOML (readFile file);
    licenses.asl20.spdxId = "Apache-2.0";
    mapAttrs' = f: set: listToAttrs (map (name: f name set.${name}) (attrNames set));
    mapAttrsToList = f: set: map (name: f name set.${name}) (attrNames set);
    nameValuePair = name: value: { inherit name value; };
    optional = condition: value: if condition then [ value ] else [ ];
    optionalAttrs = condition: set: if condition then set else { };
    optionalString = condition: text: if condition then text else "";
    optionals = condition: list: if condition then list else [ ];
    platforms.linux = [
      "x86_64-linux"
      "aarch64-linux"
    ];
    recursiveUpdate =
      one: other:
      one
      // mapAttrs (
        name: value:
        if isAttrs value && isAttrs (one.${name} or null) then
          own.recursiveUpdate one.${name} value
        else
          value
      ) other;
    removePrefix =
      prefix: text: if own.hasPrefix prefix text then substring (stringLength prefix) (-1) text else text;
    removeSuffix =
      suffix: text:
      if own.hasSuffix suffix text then
        substring 0 (stringLength text - stringLength suffix) text
      else
        text;
    splitString = separator: split (literal separator);
    toUpper = replaceStrings (own.stringToCharacters "abcdefghijklmnopqrstuvwxyz") (
      own.stringToCharacters "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    );
    stringToCharacters = text: builtins.genList (n: substring n 1 text) (stringLength text);
    unique = foldl' (found: value: if elem value found then found else found ++ [ value ]) [ ];

    filesystem.listFilesRecursive =
      folder:
      concatMap (
        name:
        let
          path = folder + "/${name}";
        in
        if (builtins.readDir folder).${name} == "directory" then
          own.filesystem.listFilesRecursive path
        else
          [ path ]
      ) (attrNames (builtins.readDir folder));

    # A set of files is a list of places, each with what it keeps of the files below it.
    fileset = {
      unions = concatMap (set: if isList set then set else [ (place set (_: true)) ]);
      fileFilter = keep: folder: [ (place folder keep) ];
      toSource =
        { root, fileset }:
        builtins.path {
          path = root;
          name = "source";
          filter =
            path: type:
            builtins.any (
              set:
              path == set.path
              || own.hasPrefix "${set.path}/" path && (type == "directory" || set.keep (file path))
              || type == "directory" && own.hasPrefix "${path}/" set.path
            ) (if isList fileset then fileset else own.fileset.unions [ fileset ]);
        };
    };
  };

  place = path: keep: {
    path = toString path;
    inherit keep;
  };
  file = path: {
    name = baseNameOf path;
    hasExt = extension: own.hasSuffix ".${extension}" path;
  };
  # As a pattern, what it is as text.
  special = [
    "\\"
    "."
    "["
    "]"
    "("
    ")"
    "*"
    "+"
    "?"
    "{"
    "}"
    "|"
    "^"
    "$"
  ];
  literal = replaceStrings special (map (character: "\\${character}") special);
in
{
  inherit whole;
  # With those that are listed alone, and told when they are used.
  listed = surface.tree "library " value surface.library;
}
