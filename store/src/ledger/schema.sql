-- One month of the ledger. Times are microseconds since 1970. Text that repeats is stored once, in word.
CREATE TABLE word (
    id   INTEGER PRIMARY KEY,
    text TEXT NOT NULL UNIQUE
);

-- What exchanges have in common that differ in little but their times, and their sums: millions of rows are some ten
-- thousands of these.
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
CREATE INDEX alike_by_url ON alike (url, client, page, body, user, path);
CREATE INDEX alike_by_body ON alike (body) WHERE body IS NOT NULL;
CREATE INDEX alike_by_client ON alike (client);
CREATE INDEX alike_by_user ON alike (user) WHERE user IS NOT NULL;
CREATE INDEX alike_unmeasured ON alike (outcome) WHERE body IS NULL;

-- A guarded exchange, and those like it of the same minute.
CREATE TABLE exchange (
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

CREATE TABLE tunnel (
    id             BLOB PRIMARY KEY, -- UUIDv7
    open           INTEGER NOT NULL,
    at             INTEGER NOT NULL,
    client         INTEGER NOT NULL, -- word, as all that follow without a remark
    client_port    INTEGER NOT NULL, -- number
    page           INTEGER,
    user_agent     INTEGER,
    authority      INTEGER NOT NULL,
    server_name    INTEGER,
    dialled        INTEGER,
    reason         INTEGER,
    incident       BLOB,             -- UUIDv7
    status         INTEGER NOT NULL, -- number
    policy_version INTEGER NOT NULL, -- number
    sent           INTEGER,          -- bytes from the client; none if it never opened, or ended unseen
    received       INTEGER,          -- bytes to the client
    open_ms        INTEGER,          -- number
    user           INTEGER
) WITHOUT ROWID;
CREATE INDEX tunnel_by_authority ON tunnel (authority, at, status);
CREATE INDEX tunnel_by_client ON tunnel (client);
CREATE INDEX tunnel_by_user ON tunnel (user) WHERE user IS NOT NULL;
CREATE INDEX tunnel_open ON tunnel (id) WHERE open;

-- Requests that hosts answered of which nobody looks at what they send: those of one hour are one row. Beyond a bound clients
-- and hosts are not told apart.
CREATE TABLE visit (
    hour      INTEGER NOT NULL, -- number, since 1970
    client    INTEGER NOT NULL, -- word, as the next two; 0: not told apart
    user      INTEGER NOT NULL, -- 0: none
    authority INTEGER NOT NULL, -- 0: not told apart
    count     INTEGER NOT NULL, -- numbers
    first     INTEGER NOT NULL,
    last      INTEGER NOT NULL,
    PRIMARY KEY (hour, client, user, authority)
) WITHOUT ROWID;
CREATE INDEX visit_by_authority ON visit (authority, hour);
CREATE INDEX visit_by_client ON visit (client);
CREATE INDEX visit_by_user ON visit (user) WHERE user > 0;

-- Since when visits are written down, where the file was there before: one row, or none.
CREATE TABLE visits_since (
    at INTEGER NOT NULL
);

-- What could not be recorded while nothing could be written: a stated gap.
CREATE TABLE gap (
    id        BLOB PRIMARY KEY,  -- UUIDv7
    since     INTEGER NOT NULL,  -- the first that is missing
    until     INTEGER NOT NULL,  -- when it could be written
    exchanges INTEGER NOT NULL,  -- refused, and not recorded
    tunnels   INTEGER NOT NULL   -- not recorded; most of them flowed
) WITHOUT ROWID;

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

-- What the outputs read, in the order in which it became final. Written with the row that it is about.
CREATE TABLE feed (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,
    -- 1: an exchange row whose minute is over, 2: each exchange, each for the outputs that want that; for all outputs, 3: a tunnel,
    -- 4: a gap, 5: a notice, and 6 as 1 and 7 as 2 where no output wanted the other
    stream INTEGER NOT NULL,
    id     BLOB NOT NULL
);

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

CREATE VIEW tunnel_text AS
SELECT t.id, t.open, t.at, client.text AS client, t.client_port, page.text AS page, user_agent.text AS user_agent,
    authority.text AS authority, server_name.text AS server_name, dialled.text AS dialled, reason.text AS reason,
    t.incident, t.status, t.policy_version, t.sent, t.received, t.open_ms,
    user.text AS user
FROM tunnel t
LEFT JOIN word client ON client.id = t.client
LEFT JOIN word page ON page.id = t.page
LEFT JOIN word user_agent ON user_agent.id = t.user_agent
LEFT JOIN word authority ON authority.id = t.authority
LEFT JOIN word server_name ON server_name.id = t.server_name
LEFT JOIN word dialled ON dialled.id = t.dialled
LEFT JOIN word reason ON reason.id = t.reason
LEFT JOIN word user ON user.id = t.user;

CREATE VIEW notice_text AS
SELECT n.id, n.at, what.text AS what, who.text AS who, subject.text AS subject, n.digest, n.incident, n.text,
    n.policy_version
FROM notice n
LEFT JOIN word what ON what.id = n.what
LEFT JOIN word who ON who.id = n.who
LEFT JOIN word subject ON subject.id = n.subject;

PRAGMA user_version = 5;
