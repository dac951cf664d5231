-- Format 2: who asked, by name.
ALTER TABLE asker ADD COLUMN user TEXT;

PRAGMA user_version = 2;
