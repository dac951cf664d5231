-- Format 5: what the vendor says is gone is remembered. It is in gone.sql.
PRAGMA user_version = 5;
