//! The template as JSON, without loops.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    process::{Command, Output},
    sync::LazyLock,
};

use eventpulse_cli::stack::{self, Options};
use serde_json::Value;

static TEMPLATE: LazyLock<Value> = LazyLock::new(|| {
    let output = tool(&["expand", "-"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
});

/// The Python interpreter of the virtual environment of `cargo dev`.
static PYTHON: LazyLock<PathBuf> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let python = runtime.block_on(stack::python(&Options::for_test())).unwrap_or_else(|error| panic!("{error}"));
    python.as_std().get_program().into()
});

/// Runs `local/template.py`.
pub fn tool(arguments: &[&str]) -> Output {
    Command::new(&*PYTHON).arg("local/template.py").args(arguments).current_dir(repository()).output().unwrap()
}

/// Returns the path of the repository.
pub fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Returns the expanded template.
pub fn template() -> &'static Value {
    &TEMPLATE
}

/// Returns a resource.
pub fn resource(name: &str) -> &'static Value {
    let resource = &template()["Resources"][name];
    assert!(resource.is_object(), "no resource {name}");
    resource
}

/// Returns the properties of a resource.
pub fn properties(name: &str) -> &'static Value {
    &resource(name)["Properties"]
}

/// Returns the resources of a type, by name.
pub fn resources(kind: &str) -> BTreeMap<&'static str, &'static Value> {
    let resources = template()["Resources"].as_object().unwrap().iter();
    resources
        .filter(|(_, resource)| resource["Type"] == kind)
        .map(|(name, resource)| (name.as_str(), resource))
        .collect()
}

/// Returns a string with the values of those variables of `Fn::Sub` that the template defines as constants.
pub fn text(value: &Value) -> String {
    if let Some(text) = value.as_str() {
        return text.to_owned();
    }
    let sub = &value["Fn::Sub"];
    let (text, variables) = match sub.as_array().map(Vec::as_slice) {
        Some([text, variables]) => (text, variables.as_object().cloned().unwrap_or_default()),
        _ => (sub, serde_json::Map::new()),
    };
    let text = text.as_str().unwrap_or_else(|| panic!("no string: {value}")).to_owned();
    let constants = variables.iter().filter_map(|(name, value)| Some((name, value.as_str()?)));
    constants.fold(text, |text, (name, value)| text.replace(&format!("${{{name}}}"), value))
}

/// Returns the elements of a list, or the one value that may stand for a list of one.
pub fn list(value: &Value) -> Vec<&Value> {
    value.as_array().map_or_else(|| vec![value], |values| values.iter().collect())
}

/// Returns a list of strings.
pub fn strings(value: &Value) -> Vec<&str> {
    list(value).into_iter().map(|value| value.as_str().unwrap_or_else(|| panic!("no string: {value}"))).collect()
}
