// The one table of the server programs that Pawl runs on one machine: pinned versions, and where each can come from.

export type ServerName = 'temporal' | 'versitygw' | 'minio';

export interface VendorDownload {
  /** The archive for this platform, or undefined where the vendor has none. */
  url(platform: Platform): string | undefined;
  /** A file of `sha256  name` lines; without a checksum nothing is taken. */
  readonly checksumsUrl: string;
  /** The program's path inside the archive. */
  member(platform: Platform): string;
}

export interface Platform {
  readonly os: 'linux' | 'darwin';
  readonly arch: 'amd64' | 'arm64';
}

export interface ServerProgram {
  readonly name: ServerName;
  /** Without a leading `v`; a part of the cache's path. */
  readonly version: string;
  /** What a person knows it by, in messages. */
  readonly title: string;
  /** The Go package that `go install PACKAGE@vVERSION` builds. */
  readonly goPackage: string;
  /** The environment variables that name the address of a server that already runs; then nothing is started. */
  readonly addressVariables: readonly string[];
  /** Arguments after which a program on PATH that can do what Pawl needs exits with 0 and prints `probePrints`. */
  readonly probeArgs: readonly string[];
  readonly probePrints: string;
  readonly download?: VendorDownload;
  /** How long a build takes on two cores, for the progress line. */
  readonly buildMinutes: number;
  /** What a person can install by hand. */
  readonly install: string;
}

export const servers: Readonly<Record<ServerName, ServerProgram>> = {
  temporal: {
    name: 'temporal',
    version: '1.5.1',
    title: 'the Temporal CLI',
    goPackage: 'github.com/temporalio/cli/cmd/temporal',
    addressVariables: ['TEMPORAL_ADDRESS'],
    probeArgs: ['server', 'start-dev', '--help'],
    probePrints: '--search-attribute',
    download: {
      url: ({ os, arch }) =>
        `https://github.com/temporalio/cli/releases/download/v1.5.1/temporal_cli_1.5.1_${os}_${arch}.tar.gz`,
      checksumsUrl: 'https://github.com/temporalio/cli/releases/download/v1.5.1/checksums.txt',
      member: () => 'temporal',
    },
    buildMinutes: 3,
    install: 'the Temporal CLI (https://docs.temporal.io/cli/setup-cli) on PATH, or Go (https://go.dev/dl/)',
  },
  versitygw: {
    name: 'versitygw',
    version: '1.8.0',
    title: 'the Versity S3 gateway',
    goPackage: 'github.com/versity/versitygw/cmd/versitygw',
    addressVariables: ['AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL'],
    probeArgs: ['posix', '--help'],
    probePrints: 'extended attributes',
    download: {
      url: ({ os, arch }) => {
        const system = os === 'linux' ? 'Linux' : 'Darwin';
        const machine = arch === 'amd64' ? 'x86_64' : 'arm64';
        return `https://github.com/versity/versitygw/releases/download/v1.8.0/versitygw_v1.8.0_${system}_${machine}.tar.gz`;
      },
      checksumsUrl: 'https://github.com/versity/versitygw/releases/download/v1.8.0/checksums.txt',
      member: ({ os, arch }) =>
        `versitygw_v1.8.0_${os === 'linux' ? 'Linux' : 'Darwin'}_${arch === 'amd64' ? 'x86_64' : 'arm64'}/versitygw`,
    },
    buildMinutes: 2,
    install: 'versitygw (https://github.com/versity/versitygw/releases) on PATH, or Go (https://go.dev/dl/)',
  },
  // Only a second S3 server for the contract tests. Its releases have no Go version, so the module has a pseudo-version.
  minio: {
    name: 'minio',
    version: '0.0.0-20260212201848-7aac2a2c5b7c',
    title: 'MinIO',
    goPackage: 'github.com/minio/minio',
    addressVariables: [],
    probeArgs: ['server', '--help'],
    probePrints: '--address',
    buildMinutes: 3,
    install: 'minio on PATH, or Go (https://go.dev/dl/)',
  },
};
