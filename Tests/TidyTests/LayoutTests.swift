import Testing

/// What is where.
@Suite struct LayoutTests {
    @Test func topLevelIsAsItWasAgreed() {
        let allowed: Set<Substring> = [
            "Package.swift", "Sources", "Tests", "targets", "fixtures", "README.md", "Makefile",
        ]
        let found = Set(Tree.files.compactMap { $0.split(separator: "/").first }).filter { !$0.hasPrefix(".") }
        #expect(found.subtracting(allowed).isEmpty, "\(found.subtracting(allowed).sorted()) does not belong there")
        for name in ["Package.swift", "Sources", "Tests", "fixtures"] { #expect(found.contains(Substring(name))) }
    }

    @Test func everyFileIsText() {
        for path in Tree.files {
            #expect(!Tree.bytes(path).prefix(65536).contains(0), "\(path) is binary: make it where it is needed")
        }
    }

    @Test func filesAreNamedWithoutSpaces() {
        for path in Tree.files { #expect(!path.contains(" "), "\(path)") }
    }

    @Test func everyModuleOfTheManifestHasItsFolder() {
        for name in LayerTests.manifest.keys {
            #expect(Tree.files.contains { $0.hasPrefix("Sources/\(name)/") }, "Sources/\(name) is empty")
        }
    }
}
