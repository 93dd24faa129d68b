import Foundation
import Testing

extension Acceptance {
    /// libiscsi's conformance suite, Debian's version, a family at a time. What may fail or be skipped stands in
    /// `fixtures/compliance/libiscsi-1.19.txt` with its reason; what stands there and passes is an error too, so the
    /// list can only shrink.
    @Suite(.timeLimit(.minutes(5))) struct Conformance {
        /// Controllers, the one that the suite talks to first, and the other for what it does over two paths.
        static let directions = [["a", "b"], ["b", "a"]]

        static let families = [
            "CompareAndWrite", "ExtendedCopy", "GetLBAStatus", "Inquiry", "Mandatory", "ModeSense6", "NoMedia",
            "OrWrite", "Prefetch10", "Prefetch16", "PreventAllow", "PrinReadKeys", "PrinServiceactionRange",
            "PrinReportCapabilities", "ProutRegister", "ProutReserve", "ProutClear", "ProutPreempt", "Read6", "Read10",
            "Read12", "Read16", "ReadCapacity10", "ReadCapacity16", "ReadDefectData10", "ReadDefectData12", "ReadOnly",
            "ReceiveCopyResults", "ReportSupportedOpcodes", "Reserve6", "Sanitize", "StartStopUnit", "TestUnitReady",
            "Unmap", "Verify10", "Verify12", "Verify16", "Write10", "Write12", "Write16", "WriteAtomic16",
            "WriteSame10", "WriteSame16", "WriteVerify10", "WriteVerify12", "WriteVerify16", "iSCSIcmdsn",
            "iSCSIdatasn", "iSCSIResiduals", "iSCSITMF", "MultipathIO",
        ]

        /// The unit of `targets/conformance.yaml` that a family is run against, where it is not the first one: what
        /// the family needs, or what the suite takes for granted.
        static let units: [String: Int] = [
            "PreventAllow": 2, "NoMedia": 2, "StartStopUnit": 2,
            "ReadOnly": 3,
            // With several logical blocks in a physical one, the suite expects another first block than it asked for.
            "GetLBAStatus": 5,
            // A sanitize operation that has ended when the suite looks again, on any machine.
            "Sanitize": 8,
        ]

        /// Over two paths, the second one has the unit attention of a medium that an earlier test took out and put
        /// back, and the suite does not look for it there: these go over one path, each controller in its turn.
        static let onePath: Set = ["PreventAllow", "NoMedia", "StartStopUnit"]

        /// The multipath tests count to one block more than they have set to zero: each run has a fresh unit.
        private static func unit(_ family: String, _ controllers: [String]) -> Int {
            if family == "MultipathIO" { return controllers == ["a", "b"] ? 1 : 7 }
            return units[family] ?? 0
        }

        @Test(arguments: families, directions)
        func familyPassesSaveWhatIsKnown(_ family: String, _ controllers: [String]) throws {
            let array = try ConformanceArray.shared()
            let paths = Self.onePath.contains(family) ? [controllers[0]] : controllers
            try expectKnown(family, array, paths.map { array.url($0, lun: Self.unit(family, controllers)) })
            #expect(try array.status().redundant, "a controller is gone after \(family)")
        }

        private func expectKnown(_ family: String, _ array: RunningArray, _ urls: [String]) throws {
            let known = try KnownResults(family: family)
            let names = [1, 2].map { "iqn.2026-11.io.gemel:conformance\($0)" }
            let outcome = try Program.run(
                ["iscsi-test-cu", "-d", "-S", "-v", "-i", names[0], "-I", names[1], "-t", "ALL.\(family)"] + urls,
                folder: array.folder, seconds: 120)
            let results = SuiteOutput.parse(outcome.output)
            #expect(!results.isEmpty, "no test of ALL.\(family) ran: \(outcome.output.suffix(2000))")
            for result in results {
                let expected = known.verdicts[result.test] ?? .passed
                #expect(
                    result.verdict == expected,
                    "\(family).\(result.test) \(result.verdict), not \(expected): \(result.text)")
            }
            let unknown = Set(known.verdicts.keys).subtracting(results.map(\.test))
            #expect(unknown.isEmpty, "the list names tests that are not there")
        }

        /// What a family says through the survivor, whose memory has taken over what was the other's: some of each
        /// kind, since all of them take minutes.
        static let afterFailover = [
            "Inquiry", "Mandatory", "ModeSense6", "Read16", "Write16", "CompareAndWrite", "WriteSame16", "Unmap",
            "GetLBAStatus", "PrinReadKeys", "ProutRegister", "ProutReserve", "ProutPreempt", "Reserve6",
            "ReportSupportedOpcodes", "iSCSIcmdsn", "iSCSIResiduals", "iSCSITMF",
        ]

        @Test func familiesPassThroughTheSurvivor() throws {
            let array = try TargetFile("conformance").array()
            try array.start()
            try array.command("fault", "add", "controller-kill", "--controller", "a")
            for family in Self.afterFailover {
                try expectKnown(family, array, [array.url("b", lun: Self.unit(family, ["b"]))])
            }
            // It comes back, and serves as the other one does.
            try array.command("fault", "reset")
            try array.waitUntilRedundant(seconds: 30)
            for family in ["Mandatory", "Write16", "ProutReserve"] {
                try expectKnown(family, array, ["a", "b"].map { array.url($0, lun: Self.unit(family, ["a", "b"])) })
            }
        }

        /// What the suite looks for in an SPC-3 device.
        @Test(arguments: ["Inquiry", "Mandatory"]) func anSPC3UnitPasses(_ family: String) throws {
            let array = try ConformanceArray.shared()
            let outcome = try Program.run(
                ["iscsi-test-cu", "-v", "-t", "ALL.\(family)", array.url("a", lun: 4)], folder: array.folder,
                seconds: 60)
            let results = SuiteOutput.parse(outcome.output)
            #expect(!results.isEmpty && results.allSatisfy { $0.verdict != .failed }, "\(outcome.output)")
        }

        /// Units with protection information of types 1, 2 and 3, which the suite does not ask to transfer it.
        @Test(
            arguments: [9, 10, 11],
            ["Read10", "Read16", "Write10", "Write16", "Verify10", "OrWrite", "WriteVerify16", "ReadCapacity16"])
        func aUnitWithProtectionInformationPasses(_ lun: Int, _ family: String) throws {
            let array = try ConformanceArray.shared()
            let outcome = try Program.run(
                ["iscsi-test-cu", "-d", "-S", "-v", "-t", "ALL.\(family)", array.url("a", lun: lun)],
                folder: array.folder, seconds: 60)
            let results = SuiteOutput.parse(outcome.output)
            #expect(!results.isEmpty && results.allSatisfy { $0.verdict != .failed }, "\(outcome.output)")
        }

        @Test func everyFamilyOfTheInstalledSuiteIsTested() throws {
            let folder = NSTemporaryDirectory()
            let outcome = try Program.run(["iscsi-test-cu", "--list"], folder: folder, seconds: 10)
            let names = outcome.output.split(separator: "\n").compactMap { line -> String? in
                let parts = line.split(separator: ".")
                return parts.count == 2 && parts[0] == "ALL" ? String(parts[1]) : nil
            }
            #expect(Set(names) == Set(Self.families))
        }
    }
}

/// One pair for all families: they do not depend on what is on the unit.
enum ConformanceArray {
    private static let lock = NSLock()
    private nonisolated(unsafe) static var array: RunningArray?

    static func shared() throws -> RunningArray {
        try lock.withLock {
            if let array { return array }
            let started = try TargetFile("conformance").array()
            try started.start()
            array = started
            // The last reference: the pair is stopped when the tests end.
            atexit { ConformanceArray.release() }
            return started
        }
    }

    private static func release() { lock.withLock { array = nil } }
}

/// How one test of the suite ended.
enum SuiteVerdict: String {
    case passed
    case skipped
    case failed
}

/// The suite's verbose output: `Test: NAME ...`, remarks, then `passed` or `FAILED`. Remarks may follow on the same
/// line; they belong to the end of the run, where the suite clears reservations.
enum SuiteOutput {
    struct Result {
        var test: String
        var verdict: SuiteVerdict
        var text: String
    }

    static func parse(_ output: String) -> [Result] {
        output.components(separatedBy: "  Test: ").dropFirst().map { piece in
            let name = piece.prefix { $0 != " " && $0 != "\n" }
            var verdict = SuiteVerdict.failed
            var text = ""
            for line in piece.dropFirst(name.count + 1).split(separator: "\n") {
                let word = line.hasPrefix("...") ? line.dropFirst(3) : line
                if word.hasPrefix("passed") {
                    verdict = text.contains("[SKIPPED]") ? .skipped : .passed
                    break
                }
                text += "\(word)\n"
                if word.hasPrefix("FAILED") || word.contains("Suite: ") || word.contains("Run Summary") { break }
            }
            return Result(test: String(name), verdict: verdict, text: String(text.prefix(600)))
        }
    }
}

/// The lines of the known list for a family: `Family.Test verdict reason …`.
struct KnownResults {
    var verdicts: [String: SuiteVerdict] = [:]

    /// - Parameter family: with `removable/` before it for the unit with a removable medium.
    init(family: String) throws {
        let path = "\(Product.root)/fixtures/compliance/libiscsi-1.19.txt"
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
        for line in lines where !line.hasPrefix("#") {
            let words = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: true)
            guard words.count == 3, let verdict = SuiteVerdict(rawValue: String(words[1])), verdict != .passed else {
                throw Failure("\(path): '\(line)' is not 'Family.Test failed|skipped reason'")
            }
            let parts = words[0].split(separator: ".")
            if parts.count == 2, parts[0] == family { verdicts[String(parts[1])] = verdict }
        }
    }
}
