"""Runs the field extractions for CEF over the examples of docs/events.md, and compares with the ECS form of the same event. Runs
what props.conf calculates over both.

    check_splunk.py TRANSFORMS.conf PROPS.conf EVENTTYPES.conf TAGS.conf EVENTS.md

What differs is printed, and the exit code is 1.
"""

import configparser
import json
import pathlib
import re
import sys

# A key of CEF, and the field that it is made from.
SAME = {
    "cat": "event.action",
    "cnt": "Pinfold.count",
    "cs1": "rule.id",
    "cs4": "Pinfold.subject",
    "dhost": "destination.address",
    "externalId": "event.id",
    "fileHash": "file.hash.sha256",
    "msg": "message",
    "reason": "event.reason",
    "request": "url.full",
    "requestContext": "http.request.referrer",
    "src": "source.ip",
    "suser": "user.name",
}
# What a header and values may hold at worst.
HOSTILE = r"CEF:0|pin\|fold|a\\|1|PF\|1|x = y\\|8|msg=a b\=c\\ d |e src=1.2.3.4 requestContext=x\\ cs1=last | one\\"
EXPECTED = {
    "vendor": r"pin\|fold", "product": r"a\\", "version": "1", "signature_id": r"PF\|1", "signature": r"x = y\\",
    "severity": "8", "msg": r"a b\=c\\ d |e", "src": "1.2.3.4", "requestContext": r"x\\", "cs1": r"last | one\\",
}


def main():
    *configured, page = sys.argv[1:]
    settings, props, eventtypes, tags = map(read, configured)
    header, extension = (settings[f"pinfold_cef_{part}"] for part in ("header", "extension"))
    wrong = [] if fields(header, extension, HOSTILE) == EXPECTED else [str(fields(header, extension, HOSTILE))]
    blocks = re.findall(r"```text\n(CEF.*?)\n```.*?```json\n(.*?)\n```", pathlib.Path(page).read_text(), flags=re.DOTALL)
    for line, document in blocks:
        found, event = fields(header, extension, line), json.loads(document)
        if found["signature_id"] != event["event"]["code"]:
            wrong.append(f"signature_id: {found}")
        wrong += calculated(props, found, event)
        for key, path in SAME.items():
            expected, value = at(event, path), found.get(key)
            value = value and re.sub(r"\\(.)", r"\1", value)
            if not is_same(value, expected):
                wrong.append(f"{key} is {value!r}, and {path} is {expected!r}")
    wrong += untagged(eventtypes, tags)
    if wrong or not blocks:
        sys.exit("\n".join(wrong or ["there is nothing to compare"]))


def read(path):
    settings = configparser.RawConfigParser(delimiters=["="], strict=True)
    settings.optionxform = str
    settings.read_string(pathlib.Path(path).read_text())
    return settings


def calculated(props, cef, event):
    code, kind = event["event"]["code"], event["event"]["kind"]
    is_traffic = code.startswith(("PF-1", "PF-2"))
    expected = "blocked" if kind == "alert" else "allowed" if is_traffic else "failure" if code == "PF-3301" else None
    for sourcetype, of in (("ecs", lambda name: at(event, name)), ("cef", cef.get)):
        action = case(props[f"pinfold:{sourcetype}"]["EVAL-action"], of)
        if action != expected:
            yield f"{code}: action of {sourcetype} is {action!r}, and not {expected!r}"
    pattern, by = re.fullmatch(r'replace\(request, "(.*)", "(.*)"\)', props["pinfold:cef"]["EVAL-url"]).groups()
    unescaped = lambda text: text.replace("\\\\", "\\")
    for escaped in (cef.get("request", ""), r"https://cdn.test/a\=b\\c\\\=d"):
        url = re.sub(unescaped(pattern), unescaped(by), escaped)
        if url != re.sub(r"\\(.)", r"\1", escaped):
            yield f"{code}: url of {escaped!r} is {url!r}"


def case(expression, of):
    """What case() gives, with as much of Splunk's language as stands there."""
    inner = re.fullmatch(r"case\((.*)\)", expression).group(1)
    parts = [part.strip() for part in re.split(r",\s*(?![^(]*\))", inner)]
    for condition, value in zip(parts[::2], parts[1::2]):
        if any(is_true(one.strip(), of) for one in condition.split(" OR ")):
            return value.strip('"')
    return None


def is_true(condition, of):
    if matching := re.fullmatch(r"match\('?([\w.]+)'?, \"(.*)\"\)", condition):
        return re.search(matching.group(2), of(matching.group(1)) or "") is not None
    name, value = re.fullmatch(r"'?([\w.]+)'?==\"(.*)\"", condition).groups()
    return of(name) == value


def untagged(eventtypes, tags):
    """A data model takes what has its tags, and a tag is of a search."""
    tagged = {name.removeprefix("eventtype=") for name in tags.sections()}
    if tagged != set(eventtypes.sections()):
        yield f"{sorted(tagged)} are tagged, of {eventtypes.sections()}"
    if not {"web", "proxy", "authentication"} <= {tag for name in tags.sections() for tag in tags[name]}:
        yield "the tags of the models Web and Authentication are missing"


def is_same(value, expected):
    """What no terminal should get from a stranger stands in CEF as U+FFFD."""
    if value is None or expected is None:
        return value is expected
    expected = str(expected)
    return len(value) == len(expected) and all(one in (other, "\ufffd") for one, other in zip(value, expected))


def fields(header, extension, line):
    names = [pair.split("::")[0] for pair in header["FORMAT"].split()]
    matched = re.search(header["REGEX"], line)
    found = dict(zip(names, matched.groups()))
    # Splunk goes on from where the last one ended, and starts with all of the line.
    return found | {key: value for key, value in re.findall(extension["REGEX"], line)}


def at(event, path):
    for name in path.split("."):
        event = event.get(name, {})
    return None if event == {} else event


main()
