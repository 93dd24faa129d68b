import Foundation
import Testing

@testable import Simulation

/// The files under `fixtures`, found from this file's own place.
enum Fixtures {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("fixtures")

    static func files(_ folder: String) -> [String] {
        let place = root.appendingPathComponent(folder).path
        return ((try? FileManager.default.contentsOfDirectory(atPath: place)) ?? []).filter { $0.hasSuffix(".txt") }
            .sorted()
    }

    static func text(_ folder: String, _ name: String) throws -> String {
        try String(contentsOf: root.appendingPathComponent(folder).appendingPathComponent(name), encoding: .utf8)
    }
}

/// Failure stories under `fixtures/scenarios`, played with the product's controllers. With
/// `GEMEL_REWRITE_SCENARIOS=1` the present answers are written into the files instead.
@Suite(.enabled(if: ControllerProcess.isComposed, "this build's controller asks nothing of its driver"))
struct ScenarioTests {
    @Test(arguments: Fixtures.files("scenarios"))
    func storyEndsAsWritten(name: String) throws {
        let text = try Fixtures.text("scenarios", name)
        let scenario = Scenario(text)
        let present = scenario.run()
        if ProcessInfo.processInfo.environment["GEMEL_REWRITE_SCENARIOS"] == "1" {
            try present.write(
                to: Fixtures.root.appendingPathComponent("scenarios/\(name)"), atomically: true, encoding: .utf8)
        } else {
            #expect(present == scenario.expectedText)
        }
    }

    /// `fixtures/seeds/*.txt`: a seed a line, then its title.
    @Test(arguments: Fixtures.files("seeds"))
    func seedsThatFailedOncePass(name: String) throws {
        for line in try Fixtures.text("seeds", name).split(separator: "\n") where !line.hasPrefix("#") {
            guard let seed = line.split(separator: " ").first.flatMap({ UInt64($0) }) else {
                Issue.record("\(name): no seed at the start of: \(line)")
                continue
            }
            // As they were when there was no protection information yet.
            var options = SimulationOptions(seed: seed)
            options.protection = 0
            let result = simulate(options)
            #expect(result.passed, "\(line)\n\(result.report)")
        }
    }
}
