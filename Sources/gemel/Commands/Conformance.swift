import ArgumentParser
import Controller

/// `gemel conformance`
struct Conformance: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Every command, page, iSCSI key and PDU: its clause, whether it is there, and its test."
    )

    enum Form: String, ExpressibleByArgument, CaseIterable { case markdown, json }

    @Option(help: "How to print: markdown or json.") var output = Form.markdown

    func run() throws {
        switch output {
        case .markdown: Console.say(String(ConformanceReport.markdown.dropLast()))
        case .json: try Console.sayJSON(ConformanceReport.rows)
        }
    }
}
