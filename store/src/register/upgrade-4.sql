-- Format 4: the feed is told of new items, and places in it have names. Those that are there were seen before there was such an event.
ALTER TABLE announced ADD COLUMN item INTEGER NOT NULL DEFAULT 0;
UPDATE announced SET item = coalesce((SELECT max(id) FROM item), 0);

-- Which event each output has come to, besides its number.
ALTER TABLE cursor ADD COLUMN event BLOB;

PRAGMA user_version = 4;
