"""Runs the field extractions for CEF over the examples of docs/events.md, and compares with the ECS form of the same event.

    check_splunk.py TRANSFORMS.conf EVENTS.md

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
    transforms, page = sys.argv[1:]
    settings = configparser.RawConfigParser(delimiters=["="], strict=True)
    settings.optionxform = str
    settings.read_string(pathlib.Path(transforms).read_text())
    header, extension = (settings[f"pinfold_cef_{part}"] for part in ("header", "extension"))
    wrong = [] if fields(header, extension, HOSTILE) == EXPECTED else [str(fields(header, extension, HOSTILE))]
    blocks = re.findall(r"```text\n(CEF.*?)\n```.*?```json\n(.*?)\n```", pathlib.Path(page).read_text(), flags=re.DOTALL)
    for line, document in blocks:
        found, event = fields(header, extension, line), json.loads(document)
        if found["signature_id"] != event["event"]["code"]:
            wrong.append(f"signature_id: {found}")
        for key, path in SAME.items():
            expected, value = at(event, path), found.get(key)
            value = value and re.sub(r"\\(.)", r"\1", value)
            if not is_same(value, expected):
                wrong.append(f"{key} is {value!r}, and {path} is {expected!r}")
    if wrong or not blocks:
        sys.exit("\n".join(wrong or ["there is nothing to compare"]))


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
