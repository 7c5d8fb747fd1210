// Whether an error says that nobody told the AWS SDK where S3 is, or who asks: then no S3 is away, but none is set up. Pure.

interface Said {
  readonly name?: unknown;
  readonly message?: unknown;
}

/** One sentence. */
export function missingS3(error: unknown): string | undefined {
  for (let each = error; typeof each === 'object' && each !== null; each = (each as { cause?: unknown }).cause) {
    const { name, message } = each as Said;
    const text = String(message);
    if (text === 'Region is missing') return sentence('no region is set');
    if (name === 'CredentialsProviderError' && /could not load credentials/i.test(text))
      return sentence('there are no credentials');
  }
  return undefined;
}

const sentence = (lack: string): string =>
  `No S3 is set up (${lack}): start "pawl dev" in the project's folder, or set AWS_REGION and credentials, and AWS_ENDPOINT_URL_S3 for an S3 that is not AWS's.`;
