//! Reading the tables as JSON.

use rusqlite::types::ValueRef;
use rusqlite::{Result, Transaction, named_params};
use serde_json::{Map, Value};
use stagehost_batch::Id;

/// The largest number of rows that one query returns.
const MAX_ROWS: u32 = 1_000;

/// A table that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Table {
    Batches,
    Assets,
    Jobs,
    Callbacks,
    DeadLetters,
}

/// Returns the rows of a table as JSON objects, of all listings or of one; the newest first.
pub(super) fn rows(t: &Transaction<'_>, table: Table, listing: Option<&str>) -> Result<Vec<Value>> {
    let sql = match table {
        Table::Batches => "SELECT * FROM listing_media_batches WHERE :listing IS NULL OR listing_id = :listing",
        Table::Assets => {
            "SELECT a.*, b.listing_id, b.batch_id FROM listing_media_assets a
                 JOIN listing_media_batches b ON b.id = a.batch WHERE :listing IS NULL OR b.listing_id = :listing"
        }
        Table::Jobs => "SELECT * FROM listing_media_jobs WHERE :listing IS NULL OR listing_id = :listing",
        Table::Callbacks => "SELECT * FROM callbacks WHERE :listing IS NULL OR listing_id = :listing",
        Table::DeadLetters => "SELECT * FROM dead_letters WHERE :listing IS NULL",
    };
    let mut query = t.prepare(&format!("SELECT * FROM ({sql}) ORDER BY id DESC LIMIT {MAX_ROWS}"))?;
    let columns: Vec<String> = query.column_names().map(str::to_owned).collect();
    let mut rows = query.query(named_params! {":listing": listing})?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let mut object = Map::new();
        for (index, column) in columns.iter().enumerate() {
            object.insert(column.clone(), json(column, row.get_ref(index)?));
        }
        found.push(Value::Object(object));
    }
    Ok(found)
}

/// Returns a column as JSON. Numeric ids are numbers and stored documents are JSON again.
fn json(column: &str, value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(text) | ValueRef::Blob(text) => {
            let text = String::from_utf8_lossy(text).into_owned();
            match column {
                "listing_id" | "batch_id" | "job_id" => {
                    serde_json::to_value(Id::from_text(&text)).unwrap_or(Value::String(text))
                }
                "outputs" | "zip_bundles" | "error" | "attributes" | "headers" => {
                    serde_json::from_str(&text).unwrap_or(Value::String(text))
                }
                _ => Value::String(text),
            }
        }
    }
}
