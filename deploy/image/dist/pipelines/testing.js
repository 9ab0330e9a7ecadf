// As api/index.js.
export * from '../../pipelines/testing.ts'
