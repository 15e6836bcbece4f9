# What stands in nixpkgs-surface.md: the rows of each table, by its heading.
let
  text = builtins.readFile ../nixpkgs-surface.md;
  lines = builtins.filter builtins.isString (builtins.split "\n" text);
  # "| `name` | `type` | `file` |" has three cells, and those of most tables two: | `name` | `file` |
  cells =
    line:
    builtins.concatMap (part: if builtins.isList part then part else [ ]) (
      builtins.split "`([^`]*)`" line
    );
  add =
    state: line:
    let
      heading = builtins.match "## (.*)" line;
      row = cells line;
      isRow = builtins.substring 0 3 line == "| `";
    in
    if heading != null then
      state // { at = builtins.head heading; }
    else if isRow && state.at != null then
      state
      // {
        tables = state.tables // {
          ${state.at} = (state.tables.${state.at} or [ ]) ++ [ row ];
        };
      }
    else
      state;
  read = builtins.foldl' add {
    at = null;
    tables = { };
  } lines;
  table = name: read.tables.${name} or (throw "nixpkgs-surface.md: there is no table `${name}`");
in
{
  revision = builtins.head (
    builtins.match ".*revision `([0-9a-f]{40})`.*" (builtins.replaceStrings [ "\n" ] [ " " ] text)
  );
  packages = map builtins.head (table "Packages and their functions");
  library = map builtins.head (table "Library");
  options = map (row: {
    name = builtins.elemAt row 0;
    type = builtins.elemAt row 1;
  }) (table "NixOS options");

  # A tree of values by dotted names; who takes one says so, on stderr: that is how `ci/nix` knows what is used.
  tree =
    prefix: valueOf: names:
    let
      traced = name: builtins.trace "uses ${prefix}${name}" (valueOf name);
      insert =
        set: path: value:
        if path == [ ] then
          set // { __value = value; }
        else
          set
          // {
            ${builtins.head path} = insert (set.${builtins.head path} or { }) (builtins.tail path) value;
          };
      split = name: builtins.filter builtins.isString (builtins.split "\\." name);
      nested = builtins.foldl' (set: name: insert set (split name) (traced name)) { } names;
      # A name that others begin with has those as its attributes: `terraform` and `terraform.withPlugins`.
      join =
        set:
        let
          children = builtins.mapAttrs (_: join) (removeAttrs set [ "__value" ]);
        in
        if !(set ? __value) then
          children
        else if children == { } then
          set.__value
        else
          set.__value // children;
    in
    join nested;
}
