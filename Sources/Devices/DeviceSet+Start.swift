import Glibc

// Reading before the reactor begins.
extension DeviceSet {
    /// Reads the first bytes of a device into an address that is a multiple of 4096, and waits for them. Called by the
    /// start of a controller, before anything is enqueued; `name` is for the error.
    package func readStart(
        _ device: Int, name: String, bytes: Int, into room: UnsafeMutableRawPointer
    ) throws(DeviceError) {
        precondition(device < deviceCount && bytes <= Int(devices[device].bytes))
        if let base = devices[device].base {
            memcpy(room, base, bytes)
            return
        }
        let got = pread(devices[device].descriptor, room, bytes, 0)
        if got == bytes { return }
        throw DeviceFile.failure(got < 0 ? errno : EIO, "device \(name)", "does not give its label")
    }
}
