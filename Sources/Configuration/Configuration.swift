import Controller
import Foundation
import Primitives

/// A configuration file, read and found right: the array, and where its state and its management are.
package struct Configuration: Sendable {
    /// `pairID` is zero: it is known when the state folder is (`Identity.pairID`).
    package var description: ArrayDescription
    /// Absolute path of the folder that relative paths of the file mean.
    package var stateFolder: String
    /// The supervisor's HTTP address, of this machine only; nil: unix sockets only.
    package var management: NetworkAddress?
    /// Devices whose path the user gave: they must exist. The others are made in the state folder.
    package var givenDevices: Set<String>

    /// The array is told where its management is: VPD page 85h says so.
    init(
        description: ArrayDescription, stateFolder: String, management: NetworkAddress?, givenDevices: Set<String>
    ) {
        self.description = description
        self.description.managementURL = management.map { "http://\($0)/" }
        self.stateFolder = stateFolder
        self.management = management
        self.givenDevices = givenDevices
    }

    /// What a file can mean depends on who reads it and where; tests give their own.
    package struct Surroundings: Sendable {
        package var isRoot: Bool
        package var home: String
        package var stateHome: String?
        package var workingFolder: String
        /// Bytes of an existing file or block device; nil when it cannot be asked.
        package var deviceSize: @Sendable (String) -> UInt64?
        /// The name of the file behind symbolic links, for telling two names of one file; the path itself when there is
        /// none.
        package var realPath: @Sendable (String) -> String

        package init(
            isRoot: Bool, home: String, stateHome: String?, workingFolder: String,
            deviceSize: @escaping @Sendable (String) -> UInt64?, realPath: @escaping @Sendable (String) -> String
        ) {
            self.isRoot = isRoot
            self.home = home
            self.stateHome = stateHome
            self.workingFolder = workingFolder
            self.deviceSize = deviceSize
            self.realPath = realPath
        }
    }

    /// Reads and checks a file. Nothing is written, and nothing is looked at but the sizes of given devices.
    /// - Parameter state: the folder of `--state`, which goes before the file's `state`.
    package static func load(
        file: String, state: String? = nil, surroundings: Surroundings = .process
    ) throws(ConfigurationError) -> Configuration {
        func refusal(_ message: String) -> ConfigurationError {
            ConfigurationError(file: file, diagnostics: [Diagnostic(line: 1, column: 1, message: message)])
        }
        let bytes: Data
        var isPrivate = false
        do {
            let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: file))
            var information = stat()
            isPrivate = fstat(handle.fileDescriptor, &information) == 0 && information.st_mode & 0o077 == 0
            bytes = try handle.read(upToCount: YAMLDocument.bytesLimit + 1) ?? Data()
        } catch {
            throw refusal(
                "cannot be read: \(reason(error)); give the path of a configuration, such as targets/pair.yaml")
        }
        guard let text = String(validatingUTF8: bytes) else { throw refusal("is not UTF-8 text") }
        return try parse(text, file: file, state: state, isPrivate: isPrivate, surroundings: surroundings)
    }

    /// Checks the text of a configuration.
    /// - Parameter isPrivate: nobody but its owner can read the file; a file with secrets in it must be.
    package static func parse(
        _ text: String, file: String, state: String? = nil, isPrivate: Bool = true,
        surroundings: Surroundings = .process
    ) throws(ConfigurationError) -> Configuration {
        let document = try YAMLDocument(text, file: file)
        let diagnostics = Diagnostics()
        diagnostics.add(document.duplicates)
        var assembly = Assembly(document.root, diagnostics, surroundings, stateOption: state, isPrivate: isPrivate)
        let configuration = assembly.build()
        guard diagnostics.all.isEmpty, let configuration else {
            throw ConfigurationError(file: file, diagnostics: diagnostics.inOrder.map { $0.inside(text) })
        }
        return configuration
    }

    private static func reason(_ error: any Error) -> String {
        let code = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError
        if let code, code.domain == NSPOSIXErrorDomain { return String(cString: strerror(Int32(code.code))) }
        return (error as NSError).code == NSFileReadNoSuchFileError ? "No such file or directory" : "\(error)"
    }
}

extension String {
    fileprivate init?(validatingUTF8 data: Data) {
        guard let text = String(data: data, encoding: .utf8) else { return nil }
        self = text
    }
}

extension Configuration.Surroundings {
    /// Those of this process.
    package static var process: Configuration.Surroundings {
        let environment = ProcessInfo.processInfo.environment
        let stateHome = environment["XDG_STATE_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
        return Configuration.Surroundings(
            isRoot: geteuid() == 0, home: environment["HOME"] ?? "/tmp", stateHome: stateHome,
            workingFolder: FileManager.default.currentDirectoryPath,
            deviceSize: { path in
                let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
                guard descriptor >= 0 else { return nil }
                defer { close(descriptor) }
                let end = lseek(descriptor, 0, SEEK_END)
                return end < 0 ? nil : UInt64(end)
            },
            realPath: { path in
                guard let resolved = realpath(path, nil) else { return path }
                defer { free(resolved) }
                return String(cString: resolved)
            })
    }
}
