-- Format 3: what a client wanted it for; notices; and who may have received what.
ALTER TABLE exchange ADD COLUMN destination INTEGER;
CREATE INDEX exchange_by_time ON exchange (at);
CREATE INDEX exchange_by_user ON exchange (user) WHERE user IS NOT NULL;
CREATE INDEX exchange_unmeasured ON exchange (at) WHERE body IS NULL;
DROP INDEX tunnel_by_authority;
CREATE INDEX tunnel_by_authority ON tunnel (authority, at);
CREATE INDEX tunnel_by_user ON tunnel (user) WHERE user IS NOT NULL;
DROP VIEW exchange_text;
CREATE VIEW exchange_text AS
SELECT e.id, e.shares, e.open, e.at, e.last, e.count, e.whole, e.took_us, client.text AS client, e.client_port,
    page.text AS page, user_agent.text AS user_agent, method.text AS method, http_version.text AS http_version,
    url.text AS url, vendor.text AS vendor, kinds.text AS kinds, outcome.text AS outcome, reason.text AS reason,
    e.incident, e.body, e.body_len, media_type.text AS media_type, e.vendor_status, e.status, rule.text AS rule,
    e.policy_version, path.text AS path, client_tls.text AS client_tls, user.text AS user,
    destination.text AS destination
FROM exchange e
LEFT JOIN word client ON client.id = e.client
LEFT JOIN word page ON page.id = e.page
LEFT JOIN word user_agent ON user_agent.id = e.user_agent
LEFT JOIN word method ON method.id = e.method
LEFT JOIN word http_version ON http_version.id = e.http_version
LEFT JOIN word url ON url.id = e.url
LEFT JOIN word vendor ON vendor.id = e.vendor
LEFT JOIN word kinds ON kinds.id = e.kinds
LEFT JOIN word outcome ON outcome.id = e.outcome
LEFT JOIN word reason ON reason.id = e.reason
LEFT JOIN word media_type ON media_type.id = e.media_type
LEFT JOIN word rule ON rule.id = e.rule
LEFT JOIN word path ON path.id = e.path
LEFT JOIN word client_tls ON client_tls.id = e.client_tls
LEFT JOIN word user ON user.id = e.user
LEFT JOIN word destination ON destination.id = e.destination;

-- What happened beside the traffic: files that were read again, say.
CREATE TABLE notice (
    id             BLOB PRIMARY KEY, -- UUIDv7
    at             INTEGER NOT NULL,
    what           INTEGER NOT NULL, -- word, as all that follow without a remark
    who            INTEGER,          -- none: the gateway
    subject        INTEGER,
    digest         BLOB,             -- SHA-256
    incident       BLOB,             -- UUIDv7
    text           TEXT NOT NULL,    -- itself
    policy_version INTEGER NOT NULL  -- number
) WITHOUT ROWID;

CREATE VIEW notice_text AS
SELECT n.id, n.at, what.text AS what, who.text AS who, subject.text AS subject, n.digest, n.incident, n.text,
    n.policy_version
FROM notice n
LEFT JOIN word what ON what.id = n.what
LEFT JOIN word who ON who.id = n.who
LEFT JOIN word subject ON subject.id = n.subject;

PRAGMA user_version = 3;
