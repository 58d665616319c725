CREATE TABLE IF NOT EXISTS runs (run TEXT PRIMARY KEY, spec TEXT NOT NULL, began REAL NOT NULL);
CREATE TABLE IF NOT EXISTS queries (
    run TEXT NOT NULL REFERENCES runs, purpose TEXT NOT NULL, number INTEGER NOT NULL, state TEXT NOT NULL,
    sent_sha256 TEXT, answer TEXT, model TEXT, asked REAL NOT NULL, seconds REAL, nanodollars INTEGER NOT NULL, remark TEXT,
    PRIMARY KEY (run, purpose, number)
);
CREATE TABLE IF NOT EXISTS spent (
    run TEXT NOT NULL, purpose TEXT NOT NULL, number INTEGER NOT NULL, visitor TEXT NOT NULL, asked REAL NOT NULL,
    nanodollars INTEGER NOT NULL, PRIMARY KEY (run, purpose, number)
);
CREATE TABLE IF NOT EXISTS looks (run TEXT PRIMARY KEY, asked TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS spent_since ON spent (asked, visitor, nanodollars);
