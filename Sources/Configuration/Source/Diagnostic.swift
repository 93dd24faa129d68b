/// One thing wrong with a configuration: where it stands, and a sentence that names it and says what would be right.
package struct Diagnostic: Hashable, Sendable, Comparable {
    /// Both count from 1; columns count Unicode scalars.
    package var line: Int
    package var column: Int
    package var message: String

    package init(line: Int, column: Int, message: String) {
        self.line = line
        self.column = column
        self.message = message
    }

    /// The same, but in the text: libyaml puts the end of an unfinished text, and what is left out there, into lines
    /// behind it.
    func inside(_ text: String) -> Diagnostic {
        let lines = text.unicodeScalars.split(omittingEmptySubsequences: false) { scalar in
            switch scalar {
            case "\n", "\r", "\u{85}", "\u{2028}", "\u{2029}": true
            default: false
            }
        }
        if line <= lines.count { return self }
        return Diagnostic(line: lines.count, column: (lines.last?.count ?? 0) + 1, message: message)
    }

    /// In the order of the file.
    package static func < (a: Diagnostic, b: Diagnostic) -> Bool {
        (a.line, a.column, a.message) < (b.line, b.column, b.message)
    }
}

/// A configuration was refused: every reason that was found, in the order of the file. Never empty.
package struct ConfigurationError: Error, CustomStringConvertible {
    /// The file as the user named it.
    package var file: String
    package var diagnostics: [Diagnostic]

    package init(file: String, diagnostics: [Diagnostic]) {
        self.file = file
        self.diagnostics = diagnostics
    }

    /// One line a diagnostic: `FILE:LINE:COLUMN: message`.
    package var description: String {
        diagnostics.map { "\(file):\($0.line):\($0.column): \($0.message)" }.joined(separator: "\n")
    }
}
