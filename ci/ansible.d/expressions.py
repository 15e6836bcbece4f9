"""Prints the expressions of a dashboard of Grafana as a file of rules: expressions.py FILE."""

import json
import sys

panels = [panel for panel in json.load(open(sys.argv[1]))["panels"] if panel["type"] != "row"]
rules = [{"record": f"panel:{panel['id']}", "expr": target["expr"]} for panel in panels for target in panel["targets"]]
assert rules, f"{sys.argv[1]} has no expression"
print(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
