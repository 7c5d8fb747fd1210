// What is said of a model that no endpoint serves: the one that was meant, or those that are served.

import { SystemError } from '../dag/failures.js';
import { meantName } from './meant-name.js';

interface Endpoints {
  models(): AsyncIterable<string>;
}

/** `NotFound`, to be thrown. */
export async function noEndpoint(endpoints: Endpoints, model: string, environment: string): Promise<SystemError> {
  const served: string[] = [];
  for await (const each of endpoints.models()) served.push(each);
  return new SystemError('NotFound', `${model} has no endpoint in ${environment}: ${meantName(model, served)}`);
}
