/** The id of the one workflow that conducts the rollouts of an endpoint. */
export const rolloutWorkflowId = (environment: string, model: string): string => `rollout/${environment}/${model}`;
