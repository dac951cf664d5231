"""Holds the dashboard and the alert rules against the metrics of a gateway, in a Prometheus that scrapes it.

    check_metrics.py PROMETHEUS_URL METRICS_FILE REFERENCE.md DASHBOARD.json ALERTS.yml

METRICS_FILE is what the gateway's /metrics says. What names a metric, a label or a value that is not there is printed, and so is
a panel without data; the exit code is then 1. Else the answer is JSON: the names of the alerts that fire.
"""

import json
import pathlib
import re
import sys
import time
import urllib.parse
import urllib.request

import yaml

PATIENCE = 120
# What Prometheus adds to each sample.
OF_THE_SCRAPE = {"job", "instance"}
# What a test has nothing of.
EMPTY = {"Too busy or broken, by reason"}
SELECTOR = re.compile(r"\b(pinfold[_:][a-z0-9_:]+|process_start_time_seconds|up)\b(?:\{([^}]*)\})?(?!\s*\()")
MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
GROUPING = re.compile(r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)")
# What Grafana puts in.
VARIABLES = {"$__rate_interval": "1m", "$__range": "5m", "$instance": ".*"}


def main():
    url, metrics, reference, dashboard, alerts = sys.argv[1:]
    panels = list(panels_of(json.loads(pathlib.Path(dashboard).read_text())))
    rules = [rule for group in yaml.safe_load(pathlib.Path(alerts).read_text())["groups"] for rule in group["rules"]]
    known = labels_of(pathlib.Path(metrics).read_text())
    reasons = re.findall(r"^\| `([a-z-]+)` \| ", pathlib.Path(reference).read_text(), flags=re.MULTILINE)
    known_values = values_of(known) | {"reason": {"none", *reasons}}
    names = {name: set(labels) for name, labels in known.items()} | {"up": set()}
    names |= {rule["record"]: names["pinfold_exchanges_total"] for rule in rules if "record" in rule}
    known_values["verdict"] = {"verified", "substituted", "observed", "blocked", "quarantined"}

    asked = [(title, expression) for title, expression in panels]
    asked += [(rule.get("alert") or rule["record"], rule["expr"]) for rule in rules]
    wrong = [
        f"{title}: {problem}" for title, expression in asked for problem in unknown(expression, names, known_values)
    ]
    wrong += unused(asked, names)
    wrong += misplaced(json.loads(pathlib.Path(dashboard).read_text())["panels"])
    wait_for(url, 'count_over_time(up{job="pinfold"}[1m]) > 3')
    wait_for(url, 'pinfold:exchanges:increase10m{verdict="observed"}')
    for title, expression in asked:
        found = [sample for sample in ask(url, expression) if sample["value"][1] != "NaN"]
        if not found and title in dict(panels) and title not in EMPTY:
            wrong.append(f"{title}: no data: {expression}")
    if wrong:
        sys.exit("\n".join(wrong))
    wait_for(url, 'ALERTS{alertstate="firing"}')
    firing = {alert["metric"]["alertname"] for alert in ask(url, 'ALERTS{alertstate="firing"}')}
    json.dump(sorted(firing), sys.stdout)


def panels_of(dashboard):
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
    for annotation in dashboard["annotations"]["list"]:
        # Nothing has started twice here.
        EMPTY.add(annotation["name"])
        yield annotation["name"], annotation["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["definition"]).groups()
            yield variable["name"], f"count by ({label}) ({metric})"


def labels_of(text):
    """The labels of each metric, and their values."""
    found = {}
    for line in text.splitlines():
        sample = re.match(r"(\w+)(?:\{(.*)\})? ", line)
        if sample and not line.startswith("#"):
            labels = found.setdefault(sample[1], {})
            for label, value in re.findall(r'(\w+)="([^"]*)"', sample[2] or ""):
                labels.setdefault(label, set()).add(value)
    return found


def values_of(known):
    values = {}
    for labels in known.values():
        for label, of in labels.items():
            values.setdefault(label, set()).update(of)
    return values


def unknown(expression, names, known_values):
    there = set(OF_THE_SCRAPE)
    for name, matchers in SELECTOR.findall(expression):
        if name not in names:
            yield f"there is no metric {name}"
            continue
        there |= names[name]
        for label, _, value in MATCHER.findall(matchers or ""):
            if label in OF_THE_SCRAPE:
                continue
            if label not in names[name]:
                yield f"{name} has no label {label}"
            for one in value.split("|"):
                if one not in known_values.get(label, set()):
                    yield f"{label} is never {one}"
    for labels in GROUPING.findall(expression):
        for label in re.findall(r"\w+", labels):
            if label not in there:
                yield f"nothing there has a label {label}"


def unused(asked, names):
    """What nobody looks at is not worth counting."""
    used = {name for _, expression in asked for name, _ in SELECTOR.findall(expression)}
    return [f"{name} is in no panel and no alert" for name in sorted(names.keys() - used)]


def misplaced(panels):
    """Panels that say nothing of what they show, or that lie over others."""
    taken = {}
    for panel in panels:
        if panel["type"] != "row" and not panel.get("description"):
            yield f"{panel['title']}: no description"
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                if not 0 <= x < 24 or taken.setdefault((x, y), panel["title"]) != panel["title"]:
                    yield f"{panel['title']}: lies beside the page or over {taken[x, y]}"
                    return
    if len({panel["id"] for panel in panels}) != len(panels):
        yield "two panels have one id"


def ask(url, expression):
    for variable, value in VARIABLES.items():
        expression = expression.replace(variable, value)
    query = urllib.parse.urlencode({"query": expression})
    with urllib.request.urlopen(f"{url}/api/v1/query?{query}", timeout=PATIENCE) as answer:
        return json.load(answer)["data"]["result"]


def wait_for(url, expression):
    """Until it has an answer. Prometheus tells nobody when it has scraped, so that it has to be asked."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            if ask(url, expression):
                return
        except urllib.error.URLError:
            # It does not listen yet.
            pass
        if time.monotonic() > end:
            sys.exit(f"still nothing after {PATIENCE} s: {expression}")
        time.sleep(0.1)


main()
