"""Reads the Sigma rules, converts them, and says which of the given events each of them matches.

    check_sigma.py RULES_DIR LABEL=FILE...

A file holds events as the gateway writes them: a line of JSON each, or the JSON blocks of docs/events.md. What is found wrong
with a rule is printed, and the exit code is 1. Else the answer is JSON: for each rule that alerts, by label, what it matched,
as "CODE reason" each once. A correlation matches where its count is reached within its time, in a window that slides.
"""

import json
import pathlib
import re
import sys
from datetime import datetime

from sigma.backends.elasticsearch import ESQLBackend, LuceneBackend
from sigma.backends.splunk import SplunkBackend
from sigma.collection import SigmaCollection
from sigma.conditions import ConditionAND, ConditionFieldEqualsValueExpression, ConditionNOT, ConditionOR
from sigma.correlations import SigmaCorrelationRule, SigmaCorrelationType
from sigma.processing.pipeline import ProcessingPipeline
from sigma.types import SigmaBool, SigmaExists, SigmaNumber, SigmaString
from sigma.validation import SigmaValidator
from sigma.validators.core import validators

# These two fetch the lists that they compare with.
ONLINE = ("attacktag", "d3_fendtag")
ATTACK = re.compile(r"t\d{4}(\.\d{3})?|[a-z]+(-[a-z]+)*")
# A building block of a correlation, which alerts nobody.
BLOCK = "INFORMATIONAL"


def main():
    folder, *sources = sys.argv[1:]
    wrong, matched = [], {}
    events = {label: read(path) for label, path in (source.split("=", 1) for source in sources)}
    files = sorted(pathlib.Path(folder).glob("*.yml"))
    rules = {path: SigmaCollection.from_yaml(path.read_text()) for path in files}
    wrong += validate(rules)
    for path, collection in rules.items():
        wrong += [f"{path.name}: {problem}" for problem in unusable(path, collection)]
        matched[path.name] = {
            "level": alerting(collection).level.name.lower(),
            "matches": {label: matches(collection, found) for label, found in events.items()},
        }
    if wrong:
        sys.exit("\n".join(wrong))
    json.dump(matched, sys.stdout)


def read(path):
    text = pathlib.Path(path).read_text()
    if path.endswith(".md"):
        lines = re.findall(r"^```json\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    else:
        lines = text.splitlines()
    return sorted((flat(json.loads(line)) for line in lines), key=at)


def flat(value, path=""):
    if not isinstance(value, dict):
        return {path: value}
    fields = {}
    for name, inner in value.items():
        fields |= flat(inner, f"{path}.{name}" if path else name)
    return fields


def at(event):
    return datetime.fromisoformat(event["@timestamp"])


def validate(rules):
    offline = [check for name, check in validators.items() if name not in ONLINE]
    everything = SigmaCollection.merge(rules.values())
    return [str(issue) for issue in SigmaValidator(offline).validate_rules(everything)]


def alerting(collection):
    """The one rule of a file that is to tell somebody: the last, after the parts that it correlates."""
    return collection.rules[-1]


def unusable(path, collection):
    *parts, last = collection.rules
    if last.level is None or last.level.name == BLOCK:
        yield "the last rule tells nobody"
    for rule in collection.rules:
        if rule.status is None or not rule.description or not rule.falsepositives or rule.date is None:
            yield f"{rule.title}: status, description, date or falsepositives are missing"
        for tag in rule.tags:
            if tag.namespace != "attack" or not ATTACK.fullmatch(tag.name):
                yield f"{rule.title}: {tag} is neither a tactic nor a technique"
        if not isinstance(rule, SigmaCorrelationRule) and rule.logsource.product != "pinfold":
            yield f"{rule.title}: not about pinfold"
    for part in parts:
        if part.level.name != BLOCK:
            yield f"{part.title}: a part of a correlation tells somebody"
    yield from unconvertible(path, isinstance(last, SigmaCorrelationRule))


def unconvertible(path, correlates):
    pipelines = path.parent / "pipelines"
    for backend, pipeline, scope in (
        (SplunkBackend, "splunk.yml", 'sourcetype="pinfold:ecs"'),
        (ESQLBackend, "elastic.yml", "from logs-pinfold.decision-*"),
        (LuceneBackend, "elastic.yml", ""),
    ):
        # There are no correlations in Lucene.
        if correlates and backend is LuceneBackend:
            continue
        # A conversion changes what it converts.
        fresh = SigmaCollection.from_yaml(path.read_text())
        scoping = ProcessingPipeline.from_yaml((pipelines / pipeline).read_text())
        queries = backend(processing_pipeline=scoping).convert(fresh)
        if len(queries) != 1 or scope not in queries[0]:
            yield f"{backend.__name__} makes of it {queries}"


def matches(collection, events):
    rule = alerting(collection)
    if isinstance(rule, SigmaCorrelationRule):
        found = correlated(rule, events)
    else:
        found = [event for event in events if holds(rule, event)]
    return sorted({f"{event['event.code']} {event.get('event.reason', '')}".strip() for event in found})


def holds(rule, event):
    return any(satisfied(condition.parsed, event) for condition in rule.detection.parsed_condition)


def satisfied(node, event):
    if isinstance(node, ConditionAND):
        return all(satisfied(inner, event) for inner in node.args)
    if isinstance(node, ConditionOR):
        return any(satisfied(inner, event) for inner in node.args)
    if isinstance(node, ConditionNOT):
        return not satisfied(node.args[0], event)
    if isinstance(node, ConditionFieldEqualsValueExpression):
        return equals(node.value, event.get(node.field))
    raise TypeError(f"{node} is nothing that these rules use")


def equals(expected, value):
    if isinstance(expected, SigmaExists):
        return bool(expected) == (value is not None)
    if isinstance(value, list):
        return any(equals(expected, one) for one in value)
    if isinstance(expected, SigmaNumber):
        return expected.number == value
    if isinstance(expected, SigmaBool):
        return expected.boolean is value
    if isinstance(expected, SigmaString) and not expected.contains_special():
        return isinstance(value, str) and str(expected).lower() == value.lower()
    raise TypeError(f"{expected!r} is nothing that these rules use")


def correlated(rule, events):
    parts = [reference.rule for reference in rule.rules]
    found = []
    seen = [(event, [index for index, part in enumerate(parts) if holds(part, event)]) for event in events]
    seen = [(event, of) for event, of in seen if of and all(field in event for field in rule.group_by)]
    for first, _ in seen:
        group = [
            (event, of)
            for event, of in seen
            if 0 <= (at(event) - at(first)).total_seconds() < rule.timespan.seconds
            and all(event[field] == first[field] for field in rule.group_by)
        ]
        if reached(rule, group):
            found += [event for event, _ in group]
    return found


def reached(rule, group):
    if rule.type is SigmaCorrelationType.EVENT_COUNT:
        count = len(group)
    elif rule.type is SigmaCorrelationType.VALUE_COUNT:
        # An event that lacks the field has no value to count.
        count = len({event[rule.condition.fieldref] for event, _ in group if rule.condition.fieldref in event})
    elif rule.type is SigmaCorrelationType.TEMPORAL:
        return len({index for _, of in group for index in of}) == len(rule.rules)
    else:
        raise TypeError(f"{rule.type} is nothing that these rules use")
    if rule.condition.op.name != "GTE":
        raise TypeError(f"{rule.condition.op} is nothing that these rules use")
    return count >= rule.condition.count


main()
