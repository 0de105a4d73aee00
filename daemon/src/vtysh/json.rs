//! JSON as FRR 10.3 prints it: two blanks for each level, none behind a colon.

use serde_json::Value;

/// A value as text, with a line feed behind.
pub(super) fn text(value: &Value) -> String {
    let mut text = String::new();
    write(value, 0, &mut text);
    text.push('\n');
    text
}

fn write(value: &Value, depth: usize, text: &mut String) {
    match value {
        Value::Object(map) if map.is_empty() => text.push_str("{}"),
        Value::Array(values) if values.is_empty() => text.push_str("[]"),
        Value::Object(map) => {
            text.push('{');
            for (at, (key, value)) in map.iter().enumerate() {
                text.push_str(if at == 0 { "\n" } else { ",\n" });
                indent(depth + 1, text);
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push(':');
                write(value, depth + 1, text);
            }
            text.push('\n');
            indent(depth, text);
            text.push('}');
        }
        Value::Array(values) => {
            text.push('[');
            for (at, value) in values.iter().enumerate() {
                text.push_str(if at == 0 { "\n" } else { ",\n" });
                indent(depth + 1, text);
                write(value, depth + 1, text);
            }
            text.push('\n');
            indent(depth, text);
            text.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            text.push_str(&value.to_string());
        }
    }
}

fn indent(depth: usize, text: &mut String) {
    for _ in 0..depth {
        text.push_str("  ");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_text_is_as_frr_indents_it_and_means_the_same() {
        let value = json!({"a": {"b": [1, "x\"y"]}, "c": {}, "d": []});
        let text = text(&value);
        assert_eq!(
            text,
            "{\n  \"a\":{\n    \"b\":[\n      1,\n      \"x\\\"y\"\n    ]\n  },\n  \"c\":{},\n  \"d\":[]\n}\n"
        );
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
