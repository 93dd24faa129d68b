import Testing

/// The layers of Package.swift, and what each may not know. Engines decide, drivers do: an engine that could block,
/// allocate objects or ask the time would decide differently under the simulator.
@Suite struct LayerTests {
    static let engines = ["ISCSITarget", "SCSITarget", "Memory", "CopyModule", "Pair"]
    static let formats = ["SCSIFormats", "ISCSIFormats", "PagingFormats"]
    static let pure = ["Primitives", "SAM", "BlockModel", "Controller"] + engines + formats
    /// Modules of the system that the outer layers use.
    static let system: Set<String> = ["Foundation", "FoundationEssentials", "Glibc", "Dispatch", "Synchronization"]

    /// What each module may import, as the manifest says: NAME, then the names of `uses`.
    static let manifest: [String: Set<String>] = {
        let text = Tree.text("Package.swift")
        var uses: [String: Set<String>] = [:]
        var lists: [String: [String]] = [:]
        for line in text.split(separator: "\n") {
            let words = quoted(line)
            if line.hasPrefix("let engineNames") { lists["engineNames"] = words }
            if line.hasPrefix("let waistNames") { lists["waistNames"] = words }
            guard line.contains("module(\""), let name = words.first else { continue }
            var allowed = Set(words.dropFirst())
            for (list, members) in lists where line.contains(list) { allowed.formUnion(members) }
            if line.contains("yams") { allowed.insert("Yams") }
            if line.contains("flyingFox") { allowed.formUnion(["FlyingFox", "FlyingSocks"]) }
            if line.contains("logging") { allowed.insert("Logging") }
            uses[name] = allowed
        }
        return uses
    }()

    private static func quoted(_ line: Substring) -> [String] {
        line.split(separator: "\"", omittingEmptySubsequences: false).enumerated().filter { $0.offset % 2 == 1 }
            .map { String($0.element) }
    }

    private static func imports(_ path: String) -> [String] {
        SwiftText(Tree.text(path)).lines.compactMap { line in
            let words = line.split(separator: " ")
            guard let at = words.firstIndex(of: "import"), at + 1 < words.count, at < 3 else { return nil }
            let kinds: Set<Substring> = ["struct", "class", "enum", "func", "var", "let", "typealias", "protocol"]
            let name = kinds.contains(words[at + 1]) && at + 2 < words.count ? words[at + 2] : words[at + 1]
            return String(name.split(separator: ".")[0])
        }
    }

    @Test func manifestNamesEveryLayer() {
        for name in Self.pure + ["Devices", "Runtime", "Simulation", "Configuration", "Management"] {
            #expect(Self.manifest[name] != nil, "no row of Package.swift could be read for \(name)")
        }
    }

    @Test func modulesImportOnlyWhatTheManifestSays() {
        for path in Tree.sources {
            let module = Tree.module(path)
            guard let allowed = Self.manifest[module] else { continue }
            // The base takes the one type of the system that is never copied, for `Pinned`.
            let base: Set<String> = module == "Primitives" ? ["Synchronization"] : []
            let more: Set<String> = Self.pure.contains(module) ? base : Self.system
            for name in Self.imports(path) where !allowed.union(more).contains(name) {
                Issue.record("\(path) imports \(name), which the row of \(module) in Package.swift does not name")
            }
        }
    }

    @Test func enginesNeverKnowOneAnother() {
        for engine in Self.engines {
            let others = (Self.manifest[engine] ?? []).intersection(Self.engines)
            #expect(others.isEmpty, "\(engine) uses \(others.sorted())")
        }
    }

    @Test func pureLayersAreFreeOfTheSystemAndOfObjects() {
        let banned = [
            ("import Foundation", "the system"), ("import Glibc", "the system"), ("import Dispatch", "threads"),
            ("import Logging", "logging"), ("async", "concurrency"), ("await", "concurrency"), ("class", "objects"),
            ("any", "existentials"), ("actor", "objects"),
        ]
        for path in Tree.sources where Self.pure.contains(Tree.module(path)) {
            for (number, line) in SwiftText(Tree.text(path)).lines.enumerated() {
                for (word, what) in banned where Self.has(word, line) {
                    Issue.record("\(path):\(number + 1): \(word): the pure layers know nothing of \(what)")
                }
            }
        }
    }

    /// The words stand in the line, followed by a space or its end, and are no part of a longer name or a label.
    static func has(_ word: String, _ line: String) -> Bool {
        let (text, wanted) = (Array(line.utf8), Array(word.utf8))
        guard text.count >= wanted.count else { return false }
        func isName(_ byte: UInt8) -> Bool {
            byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "`") || byte >= 128
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
        }
        return (0...(text.count - wanted.count)).contains { at in
            text[at..<at + wanted.count].elementsEqual(wanted) && (at == 0 || !isName(text[at - 1]))
                && (at + wanted.count == text.count || text[at + wanted.count] == UInt8(ascii: " "))
        }
    }
}
