
-- How many people must agree by the files of the gateway that runs, or ran last, from format 4 on: who decides may have others.
CREATE TABLE agreement (
    one       INTEGER PRIMARY KEY CHECK (one = 1),
    approvers INTEGER NOT NULL
);
INSERT INTO agreement VALUES (1, 1);
