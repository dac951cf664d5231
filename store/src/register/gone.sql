
-- Variants of which the vendor says that they are gone, from format 5 on.
CREATE TABLE gone (
    variant INTEGER PRIMARY KEY REFERENCES variant,
    since   INTEGER NOT NULL -- it has said nothing else since then, microseconds since 1970
);
