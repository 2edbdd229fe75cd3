//! `watchkeeper kql --lsp`: the language server for editors, over standard input and output. What it says comes from
//! `watchkeeper_kql::editor` and the analyzer; here are only the protocol and its positions.

use std::collections::HashMap;
use std::sync::Arc;

use lsp_server::{Connection, ErrorCode, Message, Notification, Request, RequestId, Response};
use lsp_types::notification::{
    DidChangeTextDocument, DidCloseTextDocument, DidOpenTextDocument, Notification as _, PublishDiagnostics,
};
use lsp_types::request::{
    Completion, DocumentSymbolRequest, GotoDefinition, HoverRequest, Request as _, SignatureHelpRequest,
};
use lsp_types::{
    CompletionItem, CompletionItemKind, CompletionOptions, CompletionParams, CompletionTextEdit, Diagnostic,
    DiagnosticSeverity, DidChangeTextDocumentParams, DidCloseTextDocumentParams, DidOpenTextDocumentParams,
    Documentation, GotoDefinitionParams, Hover, HoverContents, HoverParams, HoverProviderCapability, Location,
    MarkupContent, MarkupKind, OneOf, ParameterInformation, ParameterLabel, Position, PublishDiagnosticsParams, Range,
    ServerCapabilities, SignatureHelp, SignatureHelpOptions, SignatureHelpParams, SignatureInformation, SymbolKind,
    TextDocumentPositionParams, TextDocumentSyncCapability, TextDocumentSyncKind, TextEdit,
};
use serde_json::{Value, json};
use watchkeeper_kql::editor::{self, CompletionKind};
use watchkeeper_kql::{Options, Span, analyze};
use watchkeeper_query::{Tables, TablesCatalog};

/// Answers an editor until it says goodbye.
pub fn run(tables: Arc<dyn Tables>) -> anyhow::Result<()> {
    let (connection, threads) = Connection::stdio();
    connection.initialize(serde_json::to_value(capabilities())?)?;
    let mut server = Server { connection, tables, texts: HashMap::new() };
    server.serve()?;
    drop(server);
    threads.join()?;
    Ok(())
}

fn capabilities() -> ServerCapabilities {
    let characters = |text: &[&str]| Some(text.iter().map(|one| (*one).to_owned()).collect());
    ServerCapabilities {
        text_document_sync: Some(TextDocumentSyncCapability::Kind(TextDocumentSyncKind::INCREMENTAL)),
        completion_provider: Some(CompletionOptions {
            trigger_characters: characters(&["|", " ", "(", "=", "."]),
            ..CompletionOptions::default()
        }),
        hover_provider: Some(HoverProviderCapability::Simple(true)),
        signature_help_provider: Some(SignatureHelpOptions {
            trigger_characters: characters(&["(", ","]),
            ..SignatureHelpOptions::default()
        }),
        definition_provider: Some(OneOf::Left(true)),
        document_symbol_provider: Some(OneOf::Left(true)),
        ..ServerCapabilities::default()
    }
}

struct Server {
    connection: Connection,
    tables: Arc<dyn Tables>,
    /// The open texts, by their address.
    texts: HashMap<String, String>,
}

impl Server {
    fn serve(&mut self) -> anyhow::Result<()> {
        while let Ok(message) = self.connection.receiver.recv() {
            match message {
                Message::Request(request) => {
                    if self.connection.handle_shutdown(&request)? {
                        return Ok(());
                    }
                    let response = self.answer(request);
                    self.connection.sender.send(Message::Response(response))?;
                }
                Message::Notification(notification) => {
                    let method = notification.method.clone();
                    if let Err(error) = self.noted(notification) {
                        tracing::warn!(%method, %error, "a message of the editor cannot be read");
                    }
                }
                Message::Response(_) => {}
            }
        }
        Ok(())
    }

    fn answer(&self, request: Request) -> Response {
        let Request { id, method, params } = request;
        let answer = match method.as_str() {
            Completion::METHOD => self.completion(params),
            HoverRequest::METHOD => self.hover(params),
            SignatureHelpRequest::METHOD => self.signature(params),
            GotoDefinition::METHOD => self.definition(params),
            DocumentSymbolRequest::METHOD => self.symbols(params),
            _ => return refused(id, ErrorCode::MethodNotFound, format!("{method} is not known here")),
        };
        match answer {
            Ok(result) => Response::new_ok(id, result),
            Err(error) => refused(id, ErrorCode::InvalidParams, format!("{method}: {error}")),
        }
    }

    fn noted(&mut self, notification: Notification) -> anyhow::Result<()> {
        let Notification { method, params } = notification;
        match method.as_str() {
            DidOpenTextDocument::METHOD => {
                let opened: DidOpenTextDocumentParams = serde_json::from_value(params)?;
                let uri = opened.text_document.uri;
                self.texts.insert(uri.to_string(), opened.text_document.text);
                self.diagnose(&uri)
            }
            DidChangeTextDocument::METHOD => {
                let changed: DidChangeTextDocumentParams = serde_json::from_value(params)?;
                let uri = changed.text_document.uri;
                let text = self.texts.entry(uri.to_string()).or_default();
                for change in changed.content_changes {
                    match change.range {
                        None => *text = change.text,
                        Some(range) => {
                            let (start, end) = (offset(text, range.start), offset(text, range.end));
                            text.replace_range(start..end.max(start), &change.text);
                        }
                    }
                }
                self.diagnose(&uri)
            }
            DidCloseTextDocument::METHOD => {
                let closed: DidCloseTextDocumentParams = serde_json::from_value(params)?;
                let uri = closed.text_document.uri;
                self.texts.remove(uri.as_str());
                self.publish(&uri, Vec::new())
            }
            _ => Ok(()),
        }
    }

    fn diagnose(&self, uri: &lsp_types::Uri) -> anyhow::Result<()> {
        let text = self.text(uri);
        let found = match text.trim().is_empty() {
            true => Vec::new(),
            false => analyze(text, &TablesCatalog(self.tables.as_ref()), &Options::default()).err().unwrap_or_default(),
        };
        let diagnostics = found.into_iter().map(|mistake| Diagnostic {
            range: range(text, mistake.span),
            severity: Some(DiagnosticSeverity::ERROR),
            source: Some("watchkeeper".to_owned()),
            message: mistake.to_string(),
            ..Diagnostic::default()
        });
        self.publish(uri, diagnostics.collect())
    }

    fn publish(&self, uri: &lsp_types::Uri, diagnostics: Vec<Diagnostic>) -> anyhow::Result<()> {
        let params = PublishDiagnosticsParams { uri: uri.clone(), diagnostics, version: None };
        let notification = Notification::new(PublishDiagnostics::METHOD.to_owned(), params);
        Ok(self.connection.sender.send(Message::Notification(notification))?)
    }

    fn text(&self, uri: &lsp_types::Uri) -> &str {
        self.texts.get(uri.as_str()).map_or("", String::as_str)
    }

    /// The text that a request is about, and the place in it.
    fn place(&self, at: &TextDocumentPositionParams) -> (&str, usize) {
        let text = self.text(&at.text_document.uri);
        (text, offset(text, at.position))
    }

    fn completion(&self, params: Value) -> anyhow::Result<Value> {
        let params: CompletionParams = serde_json::from_value(params)?;
        let (text, place) = self.place(&params.text_document_position);
        let found = editor::complete(text, place, &TablesCatalog(self.tables.as_ref()));
        let word = range(text, found.word);
        let items = found.items.into_iter().map(|item| CompletionItem {
            kind: Some(item_kind(item.kind)),
            detail: Some(item.detail).filter(|detail| !detail.is_empty()),
            documentation: Some(item.description)
                .filter(|description| !description.is_empty())
                .map(|description| Documentation::String(description.to_owned())),
            text_edit: Some(CompletionTextEdit::Edit(TextEdit { range: word, new_text: item.label.clone() })),
            label: item.label,
            ..CompletionItem::default()
        });
        Ok(serde_json::to_value(items.collect::<Vec<_>>())?)
    }

    fn hover(&self, params: Value) -> anyhow::Result<Value> {
        let params: HoverParams = serde_json::from_value(params)?;
        let (text, place) = self.place(&params.text_document_position_params);
        let hover = editor::hover(text, place, &TablesCatalog(self.tables.as_ref())).map(|hover| Hover {
            contents: HoverContents::Markup(MarkupContent { kind: MarkupKind::Markdown, value: hover.text }),
            range: Some(range(text, hover.word)),
        });
        Ok(serde_json::to_value(hover)?)
    }

    fn signature(&self, params: Value) -> anyhow::Result<Value> {
        let params: SignatureHelpParams = serde_json::from_value(params)?;
        let (text, place) = self.place(&params.text_document_position_params);
        let help = editor::call_at(text, place).map(|call| {
            let signatures = call.signature.overloads.iter().map(|overload| {
                let last = overload.parameters.len().saturating_sub(1);
                SignatureInformation {
                    label: editor::usage(call.signature, overload),
                    documentation: Some(Documentation::String(call.description.to_owned())),
                    parameters: Some(overload.parameters.iter().map(parameter).collect()),
                    active_parameter: u32::try_from(call.argument.min(last)).ok(),
                }
            });
            let fits = call.signature.overloads.iter().position(|overload| overload.parameter(call.argument).is_some());
            SignatureHelp {
                signatures: signatures.collect(),
                active_signature: fits.and_then(|fits| u32::try_from(fits).ok()),
                active_parameter: None,
            }
        });
        Ok(serde_json::to_value(help)?)
    }

    fn definition(&self, params: Value) -> anyhow::Result<Value> {
        let params: GotoDefinitionParams = serde_json::from_value(params)?;
        let (text, place) = self.place(&params.text_document_position_params);
        let uri = &params.text_document_position_params.text_document.uri;
        let found = editor::definition(text, place);
        let location = found.map(|symbol| Location { uri: uri.clone(), range: range(text, symbol.name_span) });
        Ok(serde_json::to_value(location)?)
    }

    fn symbols(&self, params: Value) -> anyhow::Result<Value> {
        let params: lsp_types::DocumentSymbolParams = serde_json::from_value(params)?;
        let text = self.text(&params.text_document.uri);
        let symbols = editor::symbols(text).into_iter().map(|symbol| {
            // as JSON: the type has a deprecated field that must be named to be left out
            json!({
                "name": symbol.name,
                "kind": if symbol.is_function { SymbolKind::FUNCTION } else { SymbolKind::VARIABLE },
                "range": range(text, symbol.span),
                "selectionRange": range(text, symbol.name_span),
            })
        });
        Ok(symbols.collect())
    }
}

fn refused(id: RequestId, code: ErrorCode, message: String) -> Response {
    Response::new_err(id, code as i32, message)
}

fn parameter(parameter: &watchkeeper_kql::functions::Parameter) -> ParameterInformation {
    ParameterInformation { label: ParameterLabel::Simple(parameter.usage()), documentation: None }
}

fn item_kind(kind: CompletionKind) -> CompletionItemKind {
    match kind {
        CompletionKind::Operator | CompletionKind::Keyword => CompletionItemKind::KEYWORD,
        CompletionKind::Table => CompletionItemKind::CLASS,
        CompletionKind::Column => CompletionItemKind::FIELD,
        CompletionKind::Variable => CompletionItemKind::VARIABLE,
        CompletionKind::Function => CompletionItemKind::FUNCTION,
    }
}

/// The byte of a position, whose character counts UTF-16 units; past the end of a line it is that end.
fn offset(text: &str, position: Position) -> usize {
    let line_at = text.split_inclusive('\n').take(position.line as usize).map(str::len).sum::<usize>();
    let line = text[line_at..].split(['\n', '\r']).next().unwrap_or_default();
    let mut left = position.character as usize;
    for (at, character) in line.char_indices() {
        if left < character.len_utf16() {
            return line_at + at;
        }
        left -= character.len_utf16();
    }
    line_at + line.len()
}

fn position(text: &str, byte: u32) -> Position {
    let before = text.get(..byte as usize).unwrap_or(text);
    let line = before.matches('\n').count();
    let character = before.rsplit('\n').next().unwrap_or_default().encode_utf16().count();
    Position::new(u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(character).unwrap_or(u32::MAX))
}

fn range(text: &str, span: Span) -> Range {
    Range::new(position(text, span.start), position(text, span.end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_utf16_units() {
        let text = "print '🦀', 'é'\n| extend x = 1";
        for (byte, line, character) in [(0, 0, 0), (11, 0, 9), (18, 0, 15), (19, 1, 0), (21, 1, 2)] {
            assert_eq!(position(text, byte), Position::new(line, character), "byte {byte}");
            assert_eq!(offset(text, Position::new(line, character)), byte as usize, "byte {byte}");
        }
        assert_eq!(offset(text, Position::new(0, 99)), 18, "the end of the line");
    }
}
