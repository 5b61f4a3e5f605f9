//! JSONPath and intrinsic functions.

use serde_json::{Value, json};
use stagehost_asl::StateMachine;
use stagehost_asl::inspect::{self, Path, Piece};

use crate::interpreter::output;
use crate::parts;

/// The interpreter and the analysis accept the same expressions. A path of names and indices finds what a walk through the
/// document finds, and where a value can be written it is found again. After `---` on a line of its own, the bytes may have
/// the document.
pub fn check(bytes: &[u8]) {
    let Some((text, document)) = parts(bytes) else { return };
    let document: Value = serde_json::from_str(document).unwrap_or_default();
    let analysed = inspect::expression(text);
    let is_path = text.starts_with('$');
    assert_eq!(inspect::path(text).is_ok(), is_path && analysed.is_ok(), "the analysis reads it in two ways");
    let computes = machine(&json!({"Parameters": {"x.$": text}}));
    let loads = StateMachine::parse(&computes.to_string());
    let possible = is_path || text.starts_with("States.");
    assert_eq!(
        loads.is_ok(),
        possible && analysed.is_ok(),
        "the analysis says {analysed:?}, the interpreter {loads:?}"
    );
    if loads.is_err() {
        return;
    }
    let computed = output(&computes, document.clone()).map(|output| output["x"].clone());
    let Ok(path) = inspect::path(text) else { return };
    is_written_as_it_is_read(&path);
    if path.context
        || path.variable.is_some()
        || path.pieces.iter().any(|piece| matches!(piece, Piece::Some | Piece::Deep))
    {
        return;
    }
    if document.is_null() {
        assert_eq!(computed, None, "{text}: a template reads nothing from an input that is null");
        return;
    }
    assert_eq!(computed.as_ref(), walk(&path, &document), "{text} in {document}");
    let filtered = output(&machine(&json!({"InputPath": text})), document.clone());
    assert_eq!(filtered, computed, "as an InputPath");
    let writes = machine(&json!({"Result": {"a": 7}, "ResultPath": text}));
    if let Some(written) = output(&writes, document) {
        assert_eq!(walk(&path, &written), Some(&json!({"a": 7})), "written to {text}: {written}");
    }
}

fn machine(fields: &Value) -> Value {
    let mut state = json!({"Type": "Pass", "End": true});
    if let (Some(state), Some(fields)) = (state.as_object_mut(), fields.as_object()) {
        state.extend(fields.clone());
    }
    json!({"StartAt": "A", "States": {"A": state}})
}

/// The pieces of a definite beginning, written with brackets and quotes, are read as the same pieces.
fn is_written_as_it_is_read(path: &Path) {
    let definite = path.pieces.iter().take_while(|piece| matches!(piece, Piece::Name(_) | Piece::Index(_)));
    let mut text = if path.context { "$$".to_owned() } else { "$".to_owned() };
    for piece in definite.clone() {
        text += &match piece {
            Piece::Name(name) => format!("['{}']", name.replace('\\', "\\\\").replace('\'', "\\'")),
            Piece::Index(index) => format!("[{index}]"),
            Piece::Some | Piece::Deep => continue,
        };
    }
    // Quotes and escapes may make it too long.
    if text.len() <= 1024 {
        let again = inspect::path(&text).map(|path| path.pieces);
        assert_eq!(again.as_deref(), Ok(definite.cloned().collect::<Vec<_>>().as_slice()), "written as {text}");
    }
}

fn walk<'a>(path: &Path, document: &'a Value) -> Option<&'a Value> {
    path.pieces.iter().try_fold(document, |value, piece| match piece {
        Piece::Name(name) => value.as_object()?.get(name),
        Piece::Index(index) => {
            let items = value.as_array()?;
            let from_end = usize::try_from(index.unsigned_abs()).ok()?;
            let at = if *index < 0 { items.len().checked_sub(from_end)? } else { from_end };
            items.get(at)
        }
        Piece::Some | Piece::Deep => None,
    })
}
