import Foundation
import Fuzzing
import Testing

/// The fuzz targets as ordinary tests: every committed input (seeds, and what once crashed or misled an engine), and
/// mutations of them from a fixed seed.
@Suite struct CorpusTests {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "fixtures/corpus")

    /// How many mutations of each target's corpus are tried.
    static let mutations: [FuzzTarget: Int] = [
        .login: 300, .session: 150, .commands: 300, .channel: 300, .paging: 60, .configuration: 150, .management: 150,
        .codecs: 3000,
    ]

    @Test(arguments: FuzzTarget.allCases) func everyCommittedInputEndsAsItMust(target: FuzzTarget) throws {
        let entries = try Corpus.entries(target, in: Self.folder)
        #expect(entries.count >= 3, "\(target.rawValue) has no seeds")
        for entry in entries { #expect(target.run(entry.bytes) == nil, "\(target.rawValue)/\(entry.name)") }
    }

    @Test(arguments: FuzzTarget.allCases) func mutationsOfThemDoToo(target: FuzzTarget) throws {
        let seeds = try Corpus.entries(target, in: Self.folder).map(\.bytes)
        var mutator = Mutator(seed: 20261123, seeds: seeds)
        for round in 0..<(Self.mutations[target] ?? 0) {
            let bytes = mutator.next()
            if let failure = target.run(bytes) {
                let text = Corpus.encode(bytes, comment: "\(target.rawValue), mutation \(round): \(failure)")
                Issue.record("\(failure)\n\(text)")
                return
            }
        }
    }

    @Test func inputsAreSmallAndFew() throws {
        for target in FuzzTarget.allCases {
            let entries = try Corpus.entries(target, in: Self.folder)
            #expect(entries.count <= 100, "\(target.rawValue) has \(entries.count) inputs")
            for entry in entries { #expect(entry.bytes.count < 4096, "\(target.rawValue)/\(entry.name)") }
        }
    }

    @Test func hexadecimalIsReadAsItWasWritten() {
        let bytes = (0..<100).map { UInt8(truncatingIfNeeded: $0 * 37) }
        #expect(Corpus.decode(Corpus.encode(bytes, comment: "a row of numbers")) == bytes)
        #expect(Corpus.decode("0g") == nil && Corpus.decode("012") == nil)
        #expect(Corpus.decode("# nothing\n 01 02 # two\n") == [1, 2])
    }

    /// A target without a folder would be fuzzed from nothing, and replayed by nobody.
    @Test func everyTargetHasAnInputFolder() throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path)
        let folders = Set(names.filter { !$0.contains(".") })
        #expect(folders == Set(FuzzTarget.allCases.map(\.rawValue)))
    }
}
