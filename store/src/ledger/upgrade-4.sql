-- Format 4: what exchanges have in common is written once, with its sums, and found by indexes of its own.
-- 256 MiB while it lasts: each row looks for its place.
PRAGMA cache_size = -262144;

CREATE TABLE alike (
    id          INTEGER PRIMARY KEY,
    client      INTEGER NOT NULL, -- word, as all that follow without a remark
    user        INTEGER,
    page        INTEGER,
    method      INTEGER NOT NULL,
    url         INTEGER NOT NULL,
    destination INTEGER,
    vendor      INTEGER,
    kinds       INTEGER NOT NULL,
    outcome     INTEGER NOT NULL,
    reason      INTEGER,
    body        BLOB,             -- SHA-256
    status      INTEGER NOT NULL, -- number
    path        INTEGER,          -- JSON: address, TLS version, cipher, issuer, fingerprint, HTTP version
    count       INTEGER NOT NULL, -- sums over its rows, kept by triggers
    whole       INTEGER NOT NULL,
    first       INTEGER NOT NULL,
    last        INTEGER NOT NULL
);
INSERT INTO alike (client, user, page, method, url, destination, vendor, kinds, outcome, reason, body, status, path,
    count, whole, first, last)
SELECT client, user, page, method, url, destination, vendor, kinds, outcome, reason, body, status, path,
    coalesce(sum(count) FILTER (WHERE shares IS NULL), 0), coalesce(sum(whole) FILTER (WHERE shares IS NULL), 0),
    coalesce(min(at) FILTER (WHERE shares IS NULL), min(at)), coalesce(max(last) FILTER (WHERE shares IS NULL), max(last))
FROM exchange GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13;
CREATE INDEX alike_by_url ON alike (url, client, page, body, user, path);
CREATE INDEX alike_by_body ON alike (body) WHERE body IS NOT NULL;
CREATE INDEX alike_by_client ON alike (client);
CREATE INDEX alike_by_user ON alike (user) WHERE user IS NOT NULL;
CREATE INDEX alike_unmeasured ON alike (outcome) WHERE body IS NULL;

CREATE TABLE exchange_4 (
    id             BLOB PRIMARY KEY, -- UUIDv7 of the first
    shares         BLOB,             -- one of those like it, for outputs that want each: the row that counts it
    open           INTEGER NOT NULL, -- its minute is not over
    at             INTEGER NOT NULL,
    last           INTEGER NOT NULL,
    count          INTEGER NOT NULL,
    whole          INTEGER NOT NULL, -- delivered whole
    took_us        INTEGER NOT NULL,
    alike          INTEGER NOT NULL,
    client_port    INTEGER NOT NULL,
    user_agent     INTEGER,          -- word
    http_version   INTEGER NOT NULL, -- word
    incident       BLOB,             -- UUIDv7
    body_len       INTEGER,
    media_type     INTEGER,          -- word
    vendor_status  INTEGER,
    rule           INTEGER,          -- word
    policy_version INTEGER NOT NULL,
    client_tls     INTEGER           -- word, JSON: version, cipher, server name
) WITHOUT ROWID;
INSERT INTO exchange_4
SELECT e.id, e.shares, e.open, e.at, e.last, e.count, e.whole, e.took_us, a.id, e.client_port, e.user_agent,
    e.http_version, e.incident, e.body_len, e.media_type, e.vendor_status, e.rule, e.policy_version, e.client_tls
FROM exchange e JOIN alike a INDEXED BY alike_by_url ON a.url = e.url AND a.client = e.client AND a.page IS e.page
    AND a.user IS e.user AND a.method = e.method AND a.destination IS e.destination AND a.vendor IS e.vendor
    AND a.kinds = e.kinds AND a.outcome = e.outcome AND a.reason IS e.reason AND a.body IS e.body AND a.status = e.status
    AND a.path IS e.path;
DROP VIEW exchange_text;
DROP TABLE exchange;
ALTER TABLE exchange_4 RENAME TO exchange;
CREATE INDEX exchange_by_alike ON exchange (alike, at, last, count, whole, shares) WHERE shares IS NULL;
CREATE INDEX exchange_by_incident ON exchange (incident) WHERE incident IS NOT NULL;
CREATE INDEX exchange_by_time ON exchange (at);
CREATE INDEX exchange_open ON exchange (id) WHERE open;

CREATE TRIGGER exchange_begins AFTER INSERT ON exchange WHEN new.shares IS NULL BEGIN
    UPDATE alike SET count = count + new.count, whole = whole + new.whole,
        first = iif(count = 0, new.at, min(first, new.at)), last = iif(count = 0, new.last, max(last, new.last))
        WHERE id = new.alike;
END;
CREATE TRIGGER exchange_counts AFTER UPDATE OF count, whole, last ON exchange WHEN new.shares IS NULL BEGIN
    UPDATE alike SET count = count + new.count - old.count, whole = whole + new.whole - old.whole,
        last = max(last, new.last) WHERE id = new.alike;
END;

CREATE VIEW exchange_text AS
SELECT e.id, e.shares, e.open, e.at, e.last, e.count, e.whole, e.took_us, client.text AS client, e.client_port,
    page.text AS page, user_agent.text AS user_agent, method.text AS method, http_version.text AS http_version,
    url.text AS url, vendor.text AS vendor, kinds.text AS kinds, outcome.text AS outcome, reason.text AS reason,
    e.incident, a.body, e.body_len, media_type.text AS media_type, e.vendor_status, a.status, rule.text AS rule,
    e.policy_version, path.text AS path, client_tls.text AS client_tls, user.text AS user,
    destination.text AS destination
FROM exchange e
JOIN alike a ON a.id = e.alike
LEFT JOIN word client ON client.id = a.client
LEFT JOIN word page ON page.id = a.page
LEFT JOIN word user_agent ON user_agent.id = e.user_agent
LEFT JOIN word method ON method.id = a.method
LEFT JOIN word http_version ON http_version.id = e.http_version
LEFT JOIN word url ON url.id = a.url
LEFT JOIN word vendor ON vendor.id = a.vendor
LEFT JOIN word kinds ON kinds.id = a.kinds
LEFT JOIN word outcome ON outcome.id = a.outcome
LEFT JOIN word reason ON reason.id = a.reason
LEFT JOIN word media_type ON media_type.id = e.media_type
LEFT JOIN word rule ON rule.id = e.rule
LEFT JOIN word path ON path.id = a.path
LEFT JOIN word client_tls ON client_tls.id = e.client_tls
LEFT JOIN word user ON user.id = a.user
LEFT JOIN word destination ON destination.id = a.destination;

PRAGMA cache_size = -2000;
PRAGMA user_version = 4;
