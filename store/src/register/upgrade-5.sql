-- Format 5: what the vendor says is gone is remembered, in gone.sql, and since when it has served what is on the shelf.
ALTER TABLE shelf ADD COLUMN first INTEGER NOT NULL DEFAULT 0;
UPDATE shelf SET first = seen;

-- Of workers that went out the query is known, by a table in worker.sql. Of those before nobody knows it.
INSERT INTO given_worker SELECT url, '', digest, sha384, sha512, first FROM worker;
DROP TABLE worker;

PRAGMA user_version = 5;
