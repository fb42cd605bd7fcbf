//! DynamoDB's expressions: conditions, filters, key conditions and updates, as far as EventPulse uses them. Source:
//! [Expressions](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.html).
//!
//! An expression outside this subset panics: the stand-in must never answer a request that it does not understand.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// An item: attributes in DynamoDB's JSON, such as `{"S": "text"}`.
pub type Item = BTreeMap<String, Value>;

/// The substitutions of one request.
pub struct Substitutions<'a> {
    /// `ExpressionAttributeNames`.
    pub names: &'a Value,
    /// `ExpressionAttributeValues`.
    pub values: &'a Value,
}

/// Returns whether a condition holds for an item.
pub fn holds(condition: &str, item: &Item, substitutions: &Substitutions<'_>) -> bool {
    let mut parser = Parser { tokens: tokens(condition), next: 0, substitutions };
    let result = parser.any(item);
    parser.expect_end(condition);
    result
}

/// Applies an update expression to an item.
pub fn update(expression: &str, item: &mut Item, substitutions: &Substitutions<'_>) {
    let before = item.clone();
    let mut parser = Parser { tokens: tokens(expression), next: 0, substitutions };
    while let Some(clause) = parser.take() {
        loop {
            let name = parser.name();
            match clause.as_str() {
                "SET" => {
                    parser.expect("=");
                    let value = parser.sum(&before);
                    item.insert(name, value);
                }
                "ADD" => {
                    let added = parser.operand(&before).unwrap_or_else(|| panic!("no value in {expression}"));
                    let sum = match before.get(&name) {
                        Some(value) => plus(value, &added),
                        None => added,
                    };
                    item.insert(name, sum);
                }
                "REMOVE" => {
                    item.remove(&name);
                }
                other => panic!("unknown clause {other} in {expression}"),
            }
            if parser.peek() != Some(",") {
                break;
            }
            parser.next += 1;
        }
    }
}

/// Compares two attributes of one type. Returns `None` for others.
pub fn compare(left: &Value, right: &Value) -> Option<std::cmp::Ordering> {
    if let (Some(left), Some(right)) = (left["S"].as_str(), right["S"].as_str()) {
        return Some(left.as_bytes().cmp(right.as_bytes()));
    }
    number(left)?.partial_cmp(&number(right)?)
}

fn number(value: &Value) -> Option<f64> {
    value["N"].as_str()?.parse().ok()
}

/// Adds numbers, or unites sets of strings.
fn plus(left: &Value, right: &Value) -> Value {
    if let (Some(left), Some(right)) = (left["SS"].as_array(), right["SS"].as_array()) {
        let all: std::collections::BTreeSet<&str> = left.iter().chain(right).filter_map(Value::as_str).collect();
        return json!({"SS": all});
    }
    match (integer(left), integer(right)) {
        (Some(left), Some(right)) => json!({"N": (left + right).to_string()}),
        _ => panic!("cannot add {left} and {right}"),
    }
}

fn integer(value: &Value) -> Option<i128> {
    value["N"].as_str()?.parse().ok()
}

fn negated(value: &Value) -> Value {
    json!({"N": (-integer(value).unwrap_or_else(|| panic!("not an integer: {value}"))).to_string()})
}

fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '#' | ':');
        let length = if is_word(first) {
            rest.find(|c| !is_word(c)).unwrap_or(rest.len())
        } else if ["<=", ">=", "<>"].iter().any(|operator| rest.starts_with(operator)) {
            2
        } else {
            1
        };
        tokens.push(rest[..length].to_owned());
        rest = rest[length..].trim_start();
    }
    tokens
}

/// A parser that evaluates as it goes. It reads both sides of AND and OR in full.
struct Parser<'a> {
    tokens: Vec<String>,
    next: usize,
    substitutions: &'a Substitutions<'a>,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&str> {
        self.tokens.get(self.next).map(String::as_str)
    }

    fn take(&mut self) -> Option<String> {
        let token = self.tokens.get(self.next).cloned();
        self.next += 1;
        token
    }

    fn skip(&mut self, token: &str) -> bool {
        let is_next = self.peek() == Some(token);
        self.next += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, token: &str) {
        let found = self.take();
        assert_eq!(found.as_deref(), Some(token), "in {:?}", self.tokens);
    }

    fn expect_end(&self, expression: &str) {
        assert!(self.next >= self.tokens.len(), "cannot read {expression} from {:?}", self.peek());
    }

    fn any(&mut self, item: &Item) -> bool {
        let mut result = self.all(item);
        while self.skip("OR") {
            result |= self.all(item);
        }
        result
    }

    fn all(&mut self, item: &Item) -> bool {
        let mut result = self.one(item);
        while self.skip("AND") {
            result &= self.one(item);
        }
        result
    }

    fn one(&mut self, item: &Item) -> bool {
        if self.skip("NOT") {
            return !self.one(item);
        }
        if self.skip("(") {
            let result = self.any(item);
            self.expect(")");
            return result;
        }
        match self.peek() {
            Some("attribute_exists" | "attribute_not_exists" | "begins_with" | "contains") => self.function(item),
            _ => self.comparison(item),
        }
    }

    fn function(&mut self, item: &Item) -> bool {
        let function = self.take().unwrap_or_default();
        self.expect("(");
        let first = self.operand(item);
        let second = if self.skip(",") { self.operand(item) } else { None };
        self.expect(")");
        match function.as_str() {
            "attribute_exists" => first.is_some(),
            "attribute_not_exists" => first.is_none(),
            "begins_with" => first.zip(second).is_some_and(|(text, prefix)| {
                text["S"].as_str().zip(prefix["S"].as_str()).is_some_and(|(text, prefix)| text.starts_with(prefix))
            }),
            _ => first.zip(second).is_some_and(|(set, member)| {
                let members = set["SS"].as_array();
                let of_text = set["S"].as_str().zip(member["S"].as_str());
                members.is_some_and(|members| members.contains(&member["S"]))
                    || of_text.is_some_and(|(text, part)| text.contains(part))
            }),
        }
    }

    fn comparison(&mut self, item: &Item) -> bool {
        use std::cmp::Ordering::{Equal, Greater, Less};
        let left = self.operand(item);
        let operator = self.take().unwrap_or_default();
        let right = self.operand(item);
        let order = left.as_ref().zip(right.as_ref()).and_then(|(left, right)| compare(left, right));
        match operator.as_str() {
            "=" => left.is_some() && left == right,
            "<>" => left != right,
            "<" => order == Some(Less),
            "<=" => matches!(order, Some(Less | Equal)),
            ">" => order == Some(Greater),
            ">=" => matches!(order, Some(Greater | Equal)),
            "BETWEEN" => {
                self.expect("AND");
                let most = self.operand(item);
                let below = left.as_ref().zip(most.as_ref()).and_then(|(left, most)| compare(left, most));
                matches!(order, Some(Greater | Equal)) && matches!(below, Some(Less | Equal))
            }
            other => panic!("unknown operator {other} in {:?}", self.tokens),
        }
    }

    fn sum(&mut self, item: &Item) -> Value {
        let read = |parser: &mut Self| {
            parser.operand(item).unwrap_or_else(|| panic!("an attribute of {:?} does not exist", parser.tokens))
        };
        let mut value = read(self);
        loop {
            if self.skip("+") {
                value = plus(&value, &read(self));
            } else if self.skip("-") {
                value = plus(&value, &negated(&read(self)));
            } else {
                return value;
            }
        }
    }

    fn operand(&mut self, item: &Item) -> Option<Value> {
        match self.peek()? {
            "if_not_exists" => {
                self.next += 1;
                let (stored, otherwise) = self.two(item);
                stored.or(otherwise)
            }
            "list_append" => {
                self.next += 1;
                let (first, second) = self.two(item);
                let elements = |list: Option<Value>| match list.as_ref().and_then(|list| list["L"].as_array()) {
                    Some(elements) => elements.clone(),
                    None => panic!("list_append needs lists in {:?}", self.tokens),
                };
                let joined = [elements(first), elements(second)].concat();
                Some(json!({"L": joined}))
            }
            "size" => {
                self.next += 1;
                self.expect("(");
                let value = self.operand(item);
                self.expect(")");
                let length = value.map(|value| value["L"].as_array().map_or(0, Vec::len));
                Some(json!({"N": length?.to_string()}))
            }
            value if value.starts_with(':') => {
                let found = self.substitutions.values.get(value);
                let found = found.unwrap_or_else(|| panic!("no value {value} in {:?}", self.tokens)).clone();
                self.next += 1;
                Some(found)
            }
            _ => {
                let name = self.name();
                item.get(&name).cloned()
            }
        }
    }

    fn two(&mut self, item: &Item) -> (Option<Value>, Option<Value>) {
        self.expect("(");
        let first = self.operand(item);
        self.expect(",");
        let second = self.operand(item);
        self.expect(")");
        (first, second)
    }

    fn name(&mut self) -> String {
        let token = self.take().unwrap_or_default();
        if !token.starts_with('#') {
            return token;
        }
        let name = self.substitutions.names.get(&token).and_then(Value::as_str);
        name.unwrap_or_else(|| panic!("no name {token} in {:?}", self.tokens)).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_evaluated_as_dynamodb_documents_them() {
        let item = Item::from([("a".to_owned(), json!({"N": "2"})), ("s".to_owned(), json!({"S": "text"}))]);
        let values = json!({":1": {"N": "1"}, ":2": {"N": "2"}, ":3": {"N": "3"}, ":te": {"S": "te"}});
        let substitutions = Substitutions { names: &json!({"#a": "a"}), values: &values };
        for (condition, expected) in [
            ("attribute_not_exists(b)", true),
            ("attribute_not_exists(a) OR #a = :2", true),
            ("#a = :1 OR #a = :3", false),
            ("a BETWEEN :1 AND :3 AND begins_with(s, :te)", true),
            ("NOT (a >= :3) AND a <> :1", true),
            ("b < :3", false),
        ] {
            assert_eq!(holds(condition, &item, &substitutions), expected, "{condition}");
        }
        let mut updated = item.clone();
        update("ADD #a :3, n :1 SET c = if_not_exists(c, :2) + :1 REMOVE s", &mut updated, &substitutions);
        let expected = [("a", "5"), ("c", "3"), ("n", "1")].map(|(name, n)| (name.to_owned(), json!({"N": n})));
        assert_eq!(updated, Item::from(expected));
    }
}
