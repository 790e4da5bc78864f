import { rows } from "../requirement.ts";

/** Root filesystems besides the host's. */
export const images = rows(
  "isolation",
  {
    "image.directory":
      "a VM on a root filesystem's directory has its programs, may write everywhere in it, and changes nothing of it",
    "image.archive":
      "layers of an archive lie on one another, with what they remove, links resolved inside, and without set-id bits",
    "image.named": "an image is named once, listed, and removed when nothing stands on it",
    "bad.archive": "what is no root filesystem or no archive of one is IMAGE_REFUSED",
    "S17.images":
      "an archive with absolute names, names or links that lead out, devices or sparse files is refused as a whole",
    "S18.digests": "an archive whose parts don't match their digests is refused as a whole",
  },
  "linux",
);

/** Frozen files: snapshots, forks, and disks that outlive their VM. */
export const snapshots = [
  ...rows(
    "isolation",
    {
      "snapshot.isolated":
        "a VM that begins with a snapshot and the VM that it was taken of never see what the other writes later, also where programs held files and directories",
      "snapshot.named":
        "a snapshot is named once, listed, begun from and removed; an unknown or removed one is NOT_FOUND",
      "snapshot.in-use": "a snapshot is not removed while a VM that began with it lives: IN_USE",
      "snapshot.fork": "fork(n) gives n VMs with the files and limits, and leaves no snapshot",
      "snapshot.lineage":
        "files of every VM before it, whatever id each had on the host, are a fork's own",
      "snapshot.disk":
        "a named VM's files are there again after its sidecar has ended, and gone with vm.end",
      "diff.list":
        "what changed since a snapshot is told by path: added, modified, deleted, another mode or type, whatever the times say",
      "diff.many": "thousands of files are compared in a few streams, whatever number there is",
      "diff.applies": "git applies the patch of what changed, and its text files are then the same",
      "diff.begin":
        "without a snapshot it is since the VM began, of a fork too, without its mounts",
      "bad.diff": "a diff since what is no snapshot is NOT_FOUND",
      "killed.import":
        "a sidecar that is killed while it unpacks an image leaves none of it to the next one, which takes it whole",
      "killed.snapshot":
        "a sidecar that is killed in a snapshot leaves the VM as it was; what is listed then is whole, and nothing half-made stays",
      "killed.fork": "the same in a fork",
      "killed.in-use": "a snapshot is in use by the VMs that began with it in the next life, too",
      "bad.fork": "of a VM that is gone there is no fork, snapshot or diff: VM_ENDED",
      "S36.forks": "environment and secrets of a VM are in none of its forks",
    },
    "linux",
  ),
  ...rows("isolation", {
    "diff.patch": "a patch is one that git applies, for every name and text",
  }),
];
