//! The tables of the receiver and their migrations. The version is SQLite's `user_version`. Released migrations are
//! never edited; changes are new migrations.

use rusqlite::Connection;

const MIGRATIONS: &[&str] = &["
    -- The posted batches.
    CREATE TABLE listing_media_batches (
        id           INTEGER PRIMARY KEY AUTOINCREMENT,
        listing_id   TEXT NOT NULL,
        batch_id     TEXT,
        external_id  TEXT,
        traceparent  TEXT,
        status       TEXT NOT NULL,
        body         TEXT,
        received_at  TEXT NOT NULL,
        updated_at   TEXT NOT NULL
    );
    CREATE INDEX batches_by_listing ON listing_media_batches (listing_id, id);

    -- The files of a batch and their results.
    CREATE TABLE listing_media_assets (
        id            INTEGER PRIMARY KEY AUTOINCREMENT,
        batch         INTEGER NOT NULL REFERENCES listing_media_batches (id) ON DELETE CASCADE,
        raw_key       TEXT NOT NULL,
        type          TEXT,
        status        TEXT NOT NULL,
        processed_key TEXT,
        thumbnail_key TEXT,
        outputs       TEXT NOT NULL DEFAULT '{}',
        error_code    TEXT,
        error_message TEXT,
        UNIQUE (batch, raw_key)
    );

    -- The jobs of a batch.
    CREATE TABLE listing_media_jobs (
        id                  INTEGER PRIMARY KEY AUTOINCREMENT,
        batch               INTEGER NOT NULL REFERENCES listing_media_batches (id) ON DELETE CASCADE,
        listing_id          TEXT NOT NULL,
        job_id              TEXT NOT NULL,
        retry               INTEGER NOT NULL DEFAULT 0,
        status              TEXT NOT NULL,
        provider            TEXT NOT NULL DEFAULT 'STEP_FUNCTIONS',
        execution_arn       TEXT,
        created_at          TEXT NOT NULL,
        started_at          TEXT,
        finished_at         TEXT,
        failure_reason      TEXT,
        error               TEXT,
        assets_zipped       INTEGER,
        zip_bundles         TEXT,
        zip_size_bytes      INTEGER,
        unzipped_size_bytes INTEGER,
        UNIQUE (listing_id, job_id, retry)
    );

    -- Every accepted callback, byte for byte.
    CREATE TABLE callbacks (
        id          INTEGER PRIMARY KEY AUTOINCREMENT,
        webhook_id  TEXT NOT NULL UNIQUE,
        traceparent TEXT,
        body        TEXT NOT NULL,
        received_at TEXT NOT NULL
    );

    -- Results that could not be delivered.
    CREATE TABLE dead_letters (
        id          INTEGER PRIMARY KEY AUTOINCREMENT,
        queue       TEXT NOT NULL,
        message_id  TEXT NOT NULL UNIQUE,
        body        TEXT NOT NULL,
        attributes  TEXT NOT NULL DEFAULT '{}',
        received_at TEXT NOT NULL
    );
", "
    -- The headers with which a callback was signed, so that a backend's own check can be tried on them; and its listing.
    ALTER TABLE callbacks ADD COLUMN headers TEXT NOT NULL DEFAULT '{}';
    ALTER TABLE callbacks ADD COLUMN listing_id TEXT;
    UPDATE callbacks SET listing_id = coalesce(body ->> '$.listingIdentityId', body ->> '$.listingId')
        WHERE json_valid(body);
"];

/// Migrates the database to the newest version in one transaction.
///
/// # Errors
/// The database was made by a newer program, or SQLite failed.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let version: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let version = usize::try_from(version).unwrap_or(usize::MAX);
    if version > MIGRATIONS.len() {
        return Err(rusqlite::Error::InvalidParameterName(format!(
            "the database has version {version}, but this program supports {} at most: use a newer program or another folder",
            MIGRATIONS.len()
        )));
    }
    for migration in MIGRATIONS.iter().skip(version) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", MIGRATIONS.len() as i64)?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn migrating_twice_changes_nothing() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        migrate(&mut connection).unwrap();
        let tables: i64 = connection
            .query_row(
                "SELECT count(*) FROM sqlite_master WHERE name LIKE 'listing_media_%' AND type = 'table'",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(tables, 3);
    }

    #[test]
    fn the_database_of_a_newer_program_is_refused() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        assert!(migrate(&mut connection).unwrap_err().to_string().contains("version 99"));
    }
}
