import Configuration
import Foundation
import Testing

/// The repository's folder, from this file's place in it.
let repository = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

/// A reader whose machine has no files, so that every run of a test sees the same.
let nobody = Configuration.Surroundings(
    isRoot: false, home: "/users/nobody", stateHome: nil, workingFolder: "/place", deviceSize: { _ in nil },
    realPath: { $0 })

func parse(_ text: String, state: String? = nil) throws -> Configuration {
    try Configuration.parse(text, file: "x.yaml", state: state, surroundings: nobody)
}

/// What is wrong with a text, one `LINE:COLUMN: message` each; empty when nothing is.
func complaints(_ text: String) -> [String] {
    do {
        _ = try parse(text)
        return []
    } catch let error as ConfigurationError {
        return error.diagnostics.map { "\($0.line):\($0.column): \($0.message)" }
    } catch {
        return ["\(error)"]
    }
}
