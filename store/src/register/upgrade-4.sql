-- Format 4: the feed is told of new items. Those that are there were seen before there was such an event.
ALTER TABLE announced ADD COLUMN item INTEGER NOT NULL DEFAULT 0;
UPDATE announced SET item = coalesce((SELECT max(id) FROM item), 0);

PRAGMA user_version = 4;
