-- Format 5: what the vendor says is gone is remembered, in gone.sql, and since when it has served what is on the shelf.
ALTER TABLE shelf ADD COLUMN first INTEGER NOT NULL DEFAULT 0;
UPDATE shelf SET first = seen;

PRAGMA user_version = 5;
