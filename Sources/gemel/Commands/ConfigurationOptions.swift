import ArgumentParser
import BlockModel
import Configuration
import Controller
import Management
import Primitives

/// `FILE` and `--state` of the commands that read a configuration.
struct StateOptions: ParsableArguments {
    @Option(
        help:
            """
            Folder of the array's state (default: 'state' of the file, else /var/lib/gemel/ARRAY for root, \
            else ~/.local/state/gemel/ARRAY).
            """
    )
    var state: String?
}

extension Configuration {
    /// What the status shows before a controller has answered.
    var plan: PairStatus.Plan {
        PairStatus.Plan(
            array: description.name, targets: description.targets.map(\.name),
            units: description.units.map { unit in
                PairStatus.UnitReport(
                    lun: unit.lun, bytes: unit.map.sectors * 512, home: nil, preferred: unit.map.preferred.name)
            })
    }

    /// Takes the locks of controllers in the state folder and in the runtime folder.
    func lock(_ controllers: [ControllerID], _ runtime: RuntimeFolder) throws(StartError) -> [ProcessLock] {
        var locks: [ProcessLock] = []
        for id in controllers {
            let what = "controller \(id.name) of array \(description.name)"
            for folder in [stateFolder, runtime.folder(array: description.name)] {
                locks.append(try ProcessLock(folder: folder, name: "\(id.name).lock", what: what))
            }
        }
        return locks
    }
}
