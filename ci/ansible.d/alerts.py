"""Says which alerts are not tried: alerts.py RULES TEST. Each has to be seen firing, and seen quiet."""

import sys

import yaml

rules, test = (yaml.safe_load(open(name)) for name in sys.argv[1:3])
alerts = {rule["alert"] for group in rules["groups"] for rule in group["rules"] if "alert" in rule}
tried = {
    (row["alertname"], "firing" if row["exp_alerts"] else "quiet")
    for group in test["tests"]
    for row in group["alert_rule_test"]
}
wanted = {(alert, state) for alert in alerts for state in ("firing", "quiet")}
for alert, state in sorted(wanted - tried):
    print(f"{sys.argv[2]}: {alert} is never {state}")
for alert, _ in sorted(tried - wanted):
    print(f"{sys.argv[2]}: {sys.argv[1]} has no alert {alert}")
sys.exit(not alerts or wanted != tried)
