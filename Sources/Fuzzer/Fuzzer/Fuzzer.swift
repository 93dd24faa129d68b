import CFuzzer
import Foundation
import Fuzzing

/// `gemel-fuzz TARGET [options and folders of libFuzzer]`: feeds a target until it fails.
/// `gemel-fuzz unpack FIXTURES FOLDER`: writes the committed corpus as bytes, a folder a target.
/// `gemel-fuzz pack FILE`: prints a file in the form of the committed corpus.
@main struct Fuzzer {
    /// The target that the callback of libFuzzer, which can capture nothing, runs; set before it is first called.
    nonisolated(unsafe) static var target = FuzzTarget.codecs

    static func main() throws {
        let words = CommandLine.arguments.dropFirst()
        switch words.first {
        case "unpack" where words.count == 3:
            try unpack(URL(fileURLWithPath: words[2]), into: URL(fileURLWithPath: words[3]))
        case "pack" where words.count == 2:
            let bytes = try Data(contentsOf: URL(fileURLWithPath: words[2]))
            print(Corpus.encode(Array(bytes), comment: "found by fuzzing"), terminator: "")
        case let name? where FuzzTarget(rawValue: name) != nil:
            target = FuzzTarget(rawValue: name) ?? .codecs
            fuzz()
        default:
            print("gemel-fuzz TARGET [OPTION…] [FOLDER…] | unpack FIXTURES FOLDER | pack FILE")
            print("targets:", FuzzTarget.allCases.map(\.rawValue).joined(separator: " "))
            exit(64)
        }
    }

    private static func unpack(_ fixtures: URL, into folder: URL) throws {
        for target in FuzzTarget.allCases {
            let place = folder.appending(path: target.rawValue)
            try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
            for entry in try Corpus.entries(target, in: fixtures) {
                try Data(entry.bytes).write(to: place.appending(path: entry.name))
            }
        }
    }

    /// libFuzzer takes the arguments behind the target's name, and ends the process.
    private static func fuzz() {
        var count = CommandLine.argc - 1
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv + 1
        exit(
            LLVMFuzzerRunDriver(&count, &arguments) { data, size in
                if let failure = Fuzzer.target.run(UnsafeRawBufferPointer(start: data, count: size)) {
                    FileHandle.standardError.write(Data("gemel-fuzz: \(failure)\n".utf8))
                    abort()
                }
                return 0
            })
    }
}
