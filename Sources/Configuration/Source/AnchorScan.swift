/// Looks for anchors (`&name`), aliases (`*name`) and tags (`!name`, which may stand before them) before the text is
/// composed: a few lines of aliases can unfold to more nodes than there is memory for, and a configuration needs none.
enum AnchorScan {
    /// Where the first of them stands; nil when there is none. Quoted strings and comments are passed over; an
    /// `&` inside a plain value (`R&D`, `this & that`) is text.
    static func first(in text: String) -> (line: Int, column: Int)? {
        var state = State()
        for scalar in text.unicodeScalars {
            if state.step(scalar) { return (state.line, state.column) }
        }
        return nil
    }

    private enum Mode { case nodeStart, plain, single, double, escape, comment }

    private struct State {
        var mode = Mode.nodeStart
        var line = 1
        var column = 0
        var previous: Unicode.Scalar = "\n"

        /// Takes the next character; true when it starts one of the three.
        mutating func step(_ scalar: Unicode.Scalar) -> Bool {
            if previous == "\n" { column = 0 }
            column += 1
            defer {
                previous = scalar
                if scalar == "\n" { line += 1 }
            }
            switch mode {
            case .single: if scalar == "'" { mode = .plain }
            case .double:
                if scalar == "\"" { mode = .plain } else if scalar == "\\" { mode = .escape }
            case .escape: mode = .double
            case .comment: if scalar == "\n" { mode = .nodeStart }
            case .plain, .nodeStart: return outside(scalar)
            }
            return false
        }

        /// Outside of quotes and comments.
        private mutating func outside(_ scalar: Unicode.Scalar) -> Bool {
            switch scalar {
            case "\n", "[", "]", "{", "}", ",": mode = .nodeStart
            case "#" where previous == " " || previous == "\t" || previous == "\n": mode = .comment
            case " ", "\t", "\r":
                // After an indicator and a blank a node starts.
                if previous == ":" || previous == "-" || previous == "?" { mode = .nodeStart }
            case "&" where mode == .nodeStart, "*" where mode == .nodeStart, "!" where mode == .nodeStart: return true
            case "'" where mode == .nodeStart: mode = .single
            case "\"" where mode == .nodeStart: mode = .double
            default: mode = .plain
            }
            return false
        }
    }
}
