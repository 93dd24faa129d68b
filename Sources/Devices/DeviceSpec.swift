/// A storage device as a driver opens it. Its index among the specs is the `DeviceIndex` of `StorageRequest`.
package struct DeviceSpec: Sendable {
    package enum Place: Sendable, Equatable {
        /// A regular file, opened unbuffered.
        case file(String)
        /// A block device, opened unbuffered.
        case block(String)
        /// A file of a memory file system (`/dev/shm`), mapped: both controllers of a pair see the same bytes, and
        /// they survive the processes but not the machine. It is made when it is missing.
        case memory(String)
    }
    /// Name in the configuration, for messages.
    package var name: String
    package var place: Place
    /// Bytes that the device must have, label area included.
    package var bytes: UInt64
    /// Bytes that a thin device may take of its file system, label area included; nil when it is not thin.
    package var capacity: UInt64?

    package init(name: String, place: Place, bytes: UInt64) {
        self.name = name
        self.place = place
        self.bytes = bytes
    }

    /// The path, whatever the kind.
    package var path: String {
        switch place {
        case .file(let path), .block(let path), .memory(let path): path
        }
    }
}

/// Why a device cannot be opened or made. Reaches as far as the start of one controller.
package struct DeviceError: Error, Equatable, CustomStringConvertible {
    /// What class of trouble it is, which decides the exit code.
    package enum Kind: Sendable, Equatable {
        /// There is nothing under the path.
        case missing
        /// It is shorter than the configuration says.
        case tooShort
        /// It is there and cannot serve: wrong type, no unbuffered transfers, transfers of 512 bytes refused.
        case unsuitable
        /// The file is there already, and `create` never writes over one.
        case exists
        /// No room in the file system.
        case spaceExhausted
        /// The kernel answered with an error.
        case failed
    }
    package var kind: Kind
    /// A whole sentence: what was wrong, where, and what would be right.
    package var description: String

    package init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }
}
