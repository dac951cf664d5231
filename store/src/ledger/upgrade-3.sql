-- Format 3: notices.
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
