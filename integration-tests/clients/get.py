"""python3 get.py PROXY CA-FILE http1 URL: GETs the URL through the proxy's CONNECT, prints a line of JSON with status and
headers, then the decoded body."""

import gzip
import http.client
import json
import ssl
import sys
import urllib.parse

proxy, ca_file, _, address = sys.argv[1:]
url = urllib.parse.urlsplit(address)
proxy_host, proxy_port = proxy.split(":")

trust = ssl.create_default_context(cafile=ca_file)
connection = http.client.HTTPSConnection(proxy_host, int(proxy_port), context=trust)
connection.set_tunnel(url.hostname, url.port or 443)
target = url.path + ("?" + url.query if url.query else "")
connection.request("GET", target, headers={"Accept-Encoding": "gzip"})
answer = connection.getresponse()
body = answer.read()
if answer.getheader("Content-Encoding") == "gzip":
    body = gzip.decompress(body)

head = json.dumps({"status": answer.status, "headers": answer.getheaders()})
sys.stdout.buffer.write(head.encode() + b"\n" + body)
