import CFuzzer
import Foundation
import Fuzzing

/// `gemel-fuzz TARGET [options and folders of libFuzzer]`: feeds a target until it fails.
/// `gemel-fuzz unpack FIXTURES FOLDER`: writes the committed corpus as bytes, a folder a target.
/// `gemel-fuzz pack FILE`: prints a file in the form of the committed corpus.
@main struct Fuzzer {
    /// The target that the callback of libFuzzer, which can capture nothing, runs; set before it is first called.
    nonisolated(unsafe) static var target = FuzzTarget.codecs

    /// Names the target to the processes that libFuzzer starts of itself, for merging and minimising.
    static let variable = "GEMEL_FUZZ_TARGET"

    static func main() throws {
        if let name = ProcessInfo.processInfo.environment[variable], let inherited = FuzzTarget(rawValue: name) {
            target = inherited
            fuzz(skipping: 0)
        }
        let words = CommandLine.arguments.dropFirst()
        switch words.first {
        case "unpack" where words.count == 3:
            try unpack(URL(fileURLWithPath: words[2]), into: URL(fileURLWithPath: words[3]))
        case "pack" where words.count == 2:
            let bytes = try Data(contentsOf: URL(fileURLWithPath: words[2]))
            print(Corpus.encode(Array(bytes), comment: "found by fuzzing"), terminator: "")
        case let name? where FuzzTarget(rawValue: name) != nil:
            target = FuzzTarget(rawValue: name) ?? .codecs
            setenv(variable, name, 1)
            fuzz(skipping: 1)
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

    /// libFuzzer takes the program's name and the arguments behind the first `words`, and ends the process.
    private static func fuzz(skipping words: Int) -> Never {
        let all = Array(UnsafeBufferPointer(start: CommandLine.unsafeArgv, count: Int(CommandLine.argc)))
        var rest = [all[0]] + all.dropFirst(1 + words) + [nil]
        var count = Int32(rest.count - 1)
        let code = rest.withUnsafeMutableBufferPointer { buffer in
            var arguments = buffer.baseAddress
            return LLVMFuzzerRunDriver(&count, &arguments) { data, size in
                if let failure = Fuzzer.target.run(UnsafeRawBufferPointer(start: data, count: size)) {
                    FileHandle.standardError.write(Data("gemel-fuzz: \(failure)\n".utf8))
                    abort()
                }
                return 0
            }
        }
        exit(code)
    }
}
