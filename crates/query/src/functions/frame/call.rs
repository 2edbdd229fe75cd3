//! A function of the language as the registration list describes it.

use std::cell::RefCell;
use std::collections::HashMap;

use arrow::array::ArrayRef;
use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;
use regex::Regex;
use watchkeeper_kql::Type;

use super::value::Value;

/// How the result's type follows from the types of the arguments.
#[derive(Clone, Copy)]
pub enum Returns {
    Always(Type),
    /// The type of the argument at this place.
    SameAs(usize),
    /// None: the function does not take these types.
    From(fn(&[Type]) -> Option<Type>),
}

/// What a null argument does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Nulls {
    /// Any null argument gives null without calling the function.
    Propagate,
    /// The function sees nulls.
    Seen,
}

/// One row: the cells of the arguments to the cell of the result.
pub type RowBody = for<'a> fn(&Call<'_>, &[Value<'a>]) -> Value<'a>;
/// A whole batch at once, for the types and constants that it knows.
pub type Kernel = fn(&Call<'_>, &[ColumnarValue]) -> Option<ArrayRef>;
/// A whole batch at once.
pub type BatchBody = fn(&Call<'_>, &[ColumnarValue]) -> Result<ColumnarValue>;

#[derive(Clone, Copy)]
pub enum Body {
    Row(RowBody),
    Batch(BatchBody),
}

/// A scalar function or operator of the language.
pub struct Function {
    pub name: &'static str,
    pub least: usize,
    pub most: usize,
    pub returns: Returns,
    pub nulls: Nulls,
    pub body: Body,
    /// Gives another value at each call (`rand`, `new_guid`).
    pub volatile: bool,
    /// Does the same as the body for whole columns of some types; none where it does not take these.
    pub kernel: Option<Kernel>,
}

impl Function {
    /// A function of rows where a null argument gives null.
    pub const fn row(name: &'static str, least: usize, most: usize, returns: Returns, body: RowBody) -> Function {
        Function {
            name,
            least,
            most,
            returns,
            nulls: Nulls::Propagate,
            body: Body::Row(body),
            volatile: false,
            kernel: None,
        }
    }

    /// A function of rows that sees nulls.
    pub const fn row_with_nulls(
        name: &'static str,
        least: usize,
        most: usize,
        returns: Returns,
        body: RowBody,
    ) -> Function {
        Function {
            name,
            least,
            most,
            returns,
            nulls: Nulls::Seen,
            body: Body::Row(body),
            volatile: false,
            kernel: None,
        }
    }

    /// A function of whole batches; it handles nulls itself.
    pub const fn batch(name: &'static str, least: usize, most: usize, returns: Returns, body: BatchBody) -> Function {
        Function {
            name,
            least,
            most,
            returns,
            nulls: Nulls::Seen,
            body: Body::Batch(body),
            volatile: false,
            kernel: None,
        }
    }

    pub const fn with_kernel(mut self, kernel: Kernel) -> Function {
        self.kernel = Some(kernel);
        self
    }

    pub const fn volatile(mut self) -> Function {
        self.volatile = true;
        self
    }

    /// The type of the result; none where the arguments do not fit.
    pub fn return_type(&self, arg_types: &[Type]) -> Option<Type> {
        if arg_types.len() < self.least || arg_types.len() > self.most {
            return None;
        }
        match self.returns {
            Returns::Always(ty) => Some(ty),
            Returns::SameAs(index) => arg_types.get(index).copied(),
            Returns::From(rule) => rule(arg_types),
        }
    }
}

/// One evaluation of a function over a batch.
pub struct Call<'c> {
    pub name: &'c str,
    pub arg_types: &'c [Type],
    /// The function's own result type, before any conversion that the binding asked for.
    pub return_type: Type,
    pub rows: usize,
    last_regex: RefCell<Option<(String, Option<Regex>)>>,
}

impl<'c> Call<'c> {
    pub fn new(name: &'c str, arg_types: &'c [Type], return_type: Type, rows: usize) -> Call<'c> {
        Call { name, arg_types, return_type, rows, last_regex: RefCell::new(None) }
    }

    /// Runs `use_it` with the compiled pattern; none where the pattern is not a regular expression.
    pub fn with_regex<R>(&self, pattern: &str, use_it: impl FnOnce(&Regex) -> R) -> Option<R> {
        let mut last = self.last_regex.borrow_mut();
        if last.as_ref().is_none_or(|(text, _)| text != pattern) {
            *last = Some((pattern.to_owned(), compile(pattern)));
        }
        last.as_ref().and_then(|(_, regex)| regex.as_ref()).map(use_it)
    }
}

/// How many compiled patterns a thread keeps.
const REGEX_CACHE: usize = 64;

thread_local! {
    static COMPILED: RefCell<HashMap<String, Option<Regex>>> = RefCell::new(HashMap::new());
}

/// Compiles a pattern of the language (RE2 syntax), from this thread's cache where it was seen before.
pub fn compile(pattern: &str) -> Option<Regex> {
    COMPILED.with(|cache| {
        let mut cache = cache.borrow_mut();
        if let Some(regex) = cache.get(pattern) {
            return regex.clone();
        }
        let regex = Regex::new(pattern).ok();
        if cache.len() >= REGEX_CACHE {
            cache.clear();
        }
        cache.insert(pattern.to_owned(), regex.clone());
        regex
    })
}
