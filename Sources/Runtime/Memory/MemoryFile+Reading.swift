import CLinux
import Glibc
import PagingFormats
import Primitives

// Reading a memory file without mapping it, to decide before anything is changed.
extension MemoryFile {
    /// The superblock in a file, nil when there is none that we know.
    static func readSuperblock(_ fd: Int32) -> Superblock? {
        withUnsafeTemporaryAllocation(byteCount: RegionLayout.superblockBytes, alignment: 4096) { room in
            guard let base = room.baseAddress, pread(fd, base, room.count, 0) == room.count else { return nil }
            return Superblock(decoding: base)
        }
    }

    /// Whether the first page is all zeros, or shorter than a page: nobody formatted it yet.
    static func isZero(_ fd: Int32) -> Bool {
        withUnsafeTemporaryAllocation(byteCount: RegionLayout.superblockBytes, alignment: 4096) { room in
            guard let base = room.baseAddress, pread(fd, base, room.count, 0) == room.count else { return false }
            return room.allSatisfy { $0 == 0 }
        }
    }

    /// Whether any frame is sealed and dirty: what an acknowledgement may rely on.
    static func holdsDirtyPages(_ fd: Int32, _ layout: RegionLayout) -> Bool {
        let chunk = 256
        // A damaged header may claim a trailer that the layout does not have: it is looked at, and then refused.
        let room = chunk * layout.headerBytes + PageSize.trailerBytes
        return withUnsafeTemporaryAllocation(byteCount: room, alignment: 8) { room in
            guard let base = room.baseAddress else { return true }
            for first in stride(from: 0, to: layout.frames, by: chunk) {
                let count = Swift.min(chunk, layout.frames - first)
                let bytes = count * layout.headerBytes
                // What cannot be read cannot be called clean.
                if pread(fd, base, bytes, layout.header(first)) != bytes { return true }
                for index in 0..<count {
                    // A member of a group counts as well: its leader may be there.
                    let header = FrameHeader(placed: base + index * layout.headerBytes)
                    if let header, header.dirtyMask != 0 { return true }
                }
            }
            return false
        }
    }
}
